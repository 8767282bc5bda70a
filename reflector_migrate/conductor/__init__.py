"""Conductor's side: definitions, registration, starting, workers, reading executions."""
