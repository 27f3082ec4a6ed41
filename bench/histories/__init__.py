"""Random histories in which leader, broker, feeds, clock and operator misbehave together, and an oracle over the end.

``generator`` makes a history of a seed: steps, as data. ``runner`` runs it beside the real program and a paper broker,
each in a process of its own, and keeps what the broker's books say. ``oracle`` judges from that alone, and imports
nothing of the copier's. ``shrinking`` finds a short history that fails alike.
"""
