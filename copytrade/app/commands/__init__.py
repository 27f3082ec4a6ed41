"""The operator's commands, apart from copying itself: a file per subject."""
