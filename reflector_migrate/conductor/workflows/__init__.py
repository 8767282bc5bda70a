"""Workflow definitions, and their registration."""
