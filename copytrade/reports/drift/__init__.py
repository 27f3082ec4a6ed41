"""Why accounts differ from their share of the leader's position: what the database has, and the report of it."""
