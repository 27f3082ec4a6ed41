"""A leader whose orders a lead tells on the bus: for a node an account like any other, without a token."""
