"""How far two accounts of one recording lie apart: pure functions, one file a measure.

    registry.COMPARATORS      every comparator by name and answerable step
    normalise, numerals       text as compared: named, versioned, language-aware
    figures, spellings        languages read in figures alone; signs written out for facts
    columns, distance         words as columns and integers; exact edit distance
    permutation, time_constrained    cpWER and tcpWER, exactly
    attribution, untimely     whose words are whose, and which are right at a wrong time
    reading, reader, moments, refusals, facts, spoken    what a text states, whatever its wording
    sentences, whose          whose words a text gives to whom, and what a clause negates
    told                      published words that differ from the stored ones
    words ... cost            compare(reference, hypothesis) -> Measure with counts

A comparator knows no clock, no role and no threshold; only the types of `model`
are imported. Rates are read from counts. Nothing on both sides is zero errors
over zero length; something on one side only is a whole length of errors.
"""
