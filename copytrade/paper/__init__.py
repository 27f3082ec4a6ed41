"""An embedded Dhan on loopback: the same REST and the same order-update socket, over an exchange in memory.

It shares no code with the client that talks to it, so that no mistake about the protocol can hide in both.
"""
