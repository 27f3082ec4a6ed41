"""What to do about a leader's orders. No threads and no actors live here; the core does no I/O."""

__version__ = "0.2.0"
