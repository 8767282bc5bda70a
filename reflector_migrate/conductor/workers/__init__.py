"""Conductor's workers: one thin module a step, over one task runner."""
