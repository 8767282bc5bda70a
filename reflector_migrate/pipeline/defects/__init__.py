"""Seeded defects: which exist, and what they are made of."""
