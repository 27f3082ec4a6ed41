"""The command that tries each kind of request at the broker's sandbox."""
