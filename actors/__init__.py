"""The actors: they receive messages, call the core or a part, and tell others. None asks and waits."""
