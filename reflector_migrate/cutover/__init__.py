"""Whether a phase is done, answered by evidence or by a dated, named person."""
