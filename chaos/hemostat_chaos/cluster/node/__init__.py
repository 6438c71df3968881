"""The node image, made from Debian packages and Go programs where none can be pulled."""
