"""Clients of the outside world: each with timeouts, each counting its usage.

Nothing is opened at import, and nothing opened in one process is used in another.
"""
