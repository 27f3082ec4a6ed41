"""How fast: latencies beside two bare loops at the same broker, and what single parts cost."""
