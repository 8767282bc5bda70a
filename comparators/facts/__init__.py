"""Finds the facts a text states, and those of a transcript to hold it against."""
