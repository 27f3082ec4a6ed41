"""Measurements and long trials, beside the tests: each is a command that prints its findings.

``speed`` measures how fast the program is, ``reliability`` and ``histories`` what holds when things go wrong.
"""
