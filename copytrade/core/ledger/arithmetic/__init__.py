"""The ledger: what a follower holds because of copying, and what of it each leader order is to add or take away.

One line for each instrument and product. Entries follow the increment: a leader order that adds to his position adds
its share of the follower's, and what rounding down to whole lots has kept back is carried to the next; where each entry
is sized by itself, its size is all that it adds. Exits follow the level: as the leader's position shrinks, the
follower's is brought down in proportion, to nothing when he is flat, whatever was rounded, refused or late on the way.
Manual trades of the follower are not in the ledger.
"""
