"""One file a server: its argv, environment, readiness and what it needs first."""
