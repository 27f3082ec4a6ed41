"""Measurements and long trials, beside the tests: each is a command, and prints what it found.

``speed`` measures how fast the program is, ``reliability`` and ``histories`` what holds when things go wrong.
"""
