"""How followers copy in the scenarios."""

COPYING = {"instruments": ["*"], "unfilled_after": 1.5}
