"""Random histories in which leader, broker, feeds, clock and operator misbehave together, and an oracle over the end.

``generator`` makes a history of a seed: steps, as data. ``runner`` runs it with the real program beside a paper broker,
each in a process of its own, and collects the broker's books. ``oracle`` judges from these alone, and imports nothing
of the program. ``shrinking`` finds a short history that fails in the same way.
"""
