"""Looks at both sides of a run; changes nothing."""
