"""The fixed words of log lines and alerts."""
