"""Judges a history from the broker's books and log, and from the copier's database by plain SQL.

It imports nothing of the program: what is due is computed here a second time, from what the leader did.
"""
