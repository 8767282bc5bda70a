"""Finds which known utterances are in a sound, and where.

sound -> band levels every 10 ms -> probes vote for (utterance, place) -> the best
explanation of each stretch claims it -> words whose own frames were found.
"""
