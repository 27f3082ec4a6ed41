"""The board: a web page and HTTP interface, in a process of its own, over what the copier and its database tell."""
