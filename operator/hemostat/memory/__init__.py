"""What became of past incidents, found again by what they looked like."""
