"""Takes, renews and gives up the leases on accounts that several nodes may trade."""
