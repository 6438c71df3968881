"""What Hemostat did, on whose word, in a log that proves itself: RFC 9162 tree, signed checkpoints, offline proof."""
