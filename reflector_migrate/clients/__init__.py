"""Clients of servers: only here are they made, and only the harness asks for them."""
