"""What is taken out of a text before it leaves: credentials by their format or name, and personal data."""
