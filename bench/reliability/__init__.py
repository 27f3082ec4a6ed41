"""How reliable: long trials in which much goes wrong, judged from the paper broker's books."""
