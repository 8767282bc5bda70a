"""Aligns two transcripts: words, speakers, times; and measures the distance between them."""
