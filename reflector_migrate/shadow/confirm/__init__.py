"""Repeats the blamed step on the primary's input, in a namespace of its own."""
