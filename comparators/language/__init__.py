"""Reads words: tokens, numbers, stems and the lists of each language."""
