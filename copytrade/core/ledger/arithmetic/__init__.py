"""The arithmetic of the ledger: what each leader order adds to a follower's copied position, or takes from it.

There is one line for each instrument and product. Entries follow the increment: a leader order that adds to his
position adds its share to the follower's, and what rounding down to whole lots keeps back is carried to the next entry;
if each entry is sized by itself, its size is all that it adds. Exits follow the level: as the leader's position
shrinks, the follower's is reduced in proportion, to zero when he is flat, whatever was rounded, refused or late before.
Manual trades of the follower are not in the ledger.
"""
