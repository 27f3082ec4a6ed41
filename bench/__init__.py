"""Measurements and long trials, beside the tests: each is a command, and prints what it found."""
