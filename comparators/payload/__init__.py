"""Compares nested records, and masks what may legitimately differ between two runs."""
