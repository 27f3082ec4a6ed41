"""What is shown, as it is now."""
