"""The night: what became of each eligible recording, and the report."""
