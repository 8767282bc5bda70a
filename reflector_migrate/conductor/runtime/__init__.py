"""Runs the fifteen workers: processes, task client, supervisor."""
