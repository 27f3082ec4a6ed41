"""The picture of a session at a terminal that the README shows."""
