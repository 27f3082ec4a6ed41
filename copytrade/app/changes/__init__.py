"""What changes while a copier runs: settings, and which followers there are."""
