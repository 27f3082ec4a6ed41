"""What an operator changes."""
