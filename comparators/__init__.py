"""Placeholder; the flow is told here once it stands."""
