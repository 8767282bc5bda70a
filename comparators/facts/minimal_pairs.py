"""Changed words in sentences that are otherwise alike, classified: what a paraphrase seldom does.

Sets of facts are blind to what stands beside what. So sentences of both texts are put side
by side, and of each pair of them is asked: which words were replaced, which two changed
places, what was dropped. Only closed lists answer (language/data); what they do not know is
no difference. What turns a sentence round without changing it is none either: a passive,
two partners of one deed, a negation beside an opposite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from comparators.facts.facts import without_counterpart
from comparators.facts.sentences import FIGURE, PERSON, Sentence, align
from comparators.facts.stated import Stated
from comparators.facts.tokens import Fact
from comparators.language.lexicon import LEXICONS
from comparators.language.word_classes import WordClasses, classes_of

WORDS_OF = {
    "figure": frozenset({"number", "percent", "money", "duration"}),
    "date": frozenset({"date", "time"}),
    "person": frozenset({"participant"}),
}
KINDS = (
    "figure", "date", "unit", "person", "role", "negation", "opposite", "modality", "tense",
    "quantity", "clause",
)  # fmt: skip
IN_FIGURES = frozenset({"figure", "date", "unit", "person", "role", "negation"})
"""What is read of a language whose figures, names and negations alone are known."""
FEW = 3
"""Words in a row that were replaced; more of them are a free rewording."""
SAME_REST = 0.8
"""Share of a sentence's other words that both have, where two of them changed places."""
SAME = "same"
"""No alteration: an opposite that is negated. It explains a negation of one sentence alone."""
LEAST = 3
"""Words of content that make a clause."""
VERBATIM = 0.8
"""Share of sentences that both texts have, where one that only one has was dropped or added."""


class Alteration(NamedTuple):
    """What was changed into what, and in which sentences; `fact` where it is one."""

    kind: str
    before: str
    after: str
    reference: str
    hypothesis: str
    fact: Fact | None = None


def alterations(reference: Stated, hypothesis: Stated) -> list[Alteration]:
    """Everything that the hypothesis's sentences say otherwise than their counterparts."""
    if reference.text == hypothesis.text or reference.read_as != hypothesis.read_as:
        return []
    classes = classes_of(reference.read_as)
    aligned = align(reference.text, hypothesis.text, classes.language, reference.names)
    found = [one for pair in aligned.pairs for one in _of_sentences(*pair, classes)]
    n_reference = aligned.equal + len(aligned.pairs) + len(aligned.missing)
    n_hypothesis = aligned.equal + len(aligned.pairs) + len(aligned.extra)
    if LEXICONS[classes.language].figures:
        return [one for one in found if one.kind in IN_FIGURES]
    is_verbatim = aligned.equal >= VERBATIM * max(n_reference, n_hypothesis)
    if is_verbatim and not (aligned.missing and aligned.extra):  # else one is the other, reworded
        found += [Alteration("clause", s.text, "", s.text, "") for s in aligned.missing]
        found += [Alteration("clause", "", s.text, "", s.text) for s in aligned.extra]
    return found


def _of_sentences(
    reference: Sentence, hypothesis: Sentence, classes: WordClasses
) -> Iterator[Alteration]:
    texts = reference.text, hypothesis.text
    facts = list(_facts(reference, hypothesis))
    for kind, before, after in facts:
        yield Alteration(kind, before.value, after.value, *texts, before)
    if not facts and (exchanged := _exchanged(reference, hypothesis, classes)):
        yield Alteration(*exchanged, *texts)
        return
    is_same_span = _spans(reference) == _spans(hypothesis) != frozenset()
    for found in _replaced(reference, hypothesis, classes):
        is_counted = found[0] == "unit" and (
            any(kind == "figure" for kind, *_ in facts)
            or (is_same_span and reference.of(FIGURE) != hypothesis.of(FIGURE))
        )
        if not is_counted:
            yield Alteration(*found, *texts, _negation(reference, hypothesis, found[0]))


def _spans(sentence: Sentence) -> frozenset[Fact]:
    """How long what it says takes: 90 minutes are an hour and a half."""
    return frozenset(fact for fact in sentence.facts if fact.kind == "duration")


def _negation(reference: Sentence, hypothesis: Sentence, kind: str) -> Fact | None:
    """The negation that one sentence alone has."""
    only = reference.facts ^ hypothesis.facts if kind in {"negation", SAME} else frozenset()
    return next((fact for fact in sorted(only) if fact.kind == "negation"), None)


def _facts(reference: Sentence, hypothesis: Sentence) -> Iterator[tuple[str, Fact, Fact]]:
    """A figure, a date or a person of one sentence that stands in place of the other's."""
    lost = without_counterpart(reference.facts, hypothesis.facts)
    made = without_counterpart(hypothesis.facts, reference.facts)
    for kind, kinds in WORDS_OF.items():
        before = [fact for fact in lost if fact.kind in kinds]
        after = [fact for fact in made if fact.kind in kinds]
        for one, other in zip(before, after, strict=False):
            is_unit = kind == "figure" and one.value.split()[0] == other.value.split()[0]
            yield "unit" if is_unit else kind, one, other


def _exchanged(
    reference: Sentence, hypothesis: Sentence, classes: WordClasses
) -> tuple[str, str, str] | None:
    """Two words of one kind that changed places, all others in theirs."""
    people = frozenset((*reference.of(PERSON), *hypothesis.of(PERSON)))
    figures = frozenset((*reference.of(FIGURE), *hypothesis.of(FIGURE)))
    named = reference.names & hypothesis.names if classes.language == "en" else frozenset()
    turning = _turning(reference, classes)
    kinds = [("role", people | named - figures - turning), ("figure", figures),
             ("opposite", turning)]  # fmt: skip
    for kind, words in kinds:
        before, after = _in_order(reference, words), _in_order(hypothesis, words)
        if before == after or Counter(before) != Counter(after):
            continue
        rest = reference.rest(words), hypothesis.rest(words)
        is_turned = _count(rest[0], classes.passive) != _count(rest[1], classes.passive)
        if _is_same(*rest) and not is_turned and not _is_joined(reference, words, classes):
            return kind, " … ".join(before), " … ".join(after)
    return None


def _turning(sentence: Sentence, classes: WordClasses) -> frozenset[str]:
    """Words of which the sentence has the opposite as well."""
    known = [word for word in sentence.words if classes.has_opposite(word)]
    return frozenset(
        one for one in known if any(classes.are_opposite(one, other) for other in known)
    )


def _in_order(sentence: Sentence, words: frozenset[str]) -> list[str]:
    return [word for word in sentence.words if word in words]


def _count(words: Iterable[str], wanted: frozenset[str]) -> int:
    return sum(word in wanted for word in words)


def _is_same(first: Sequence[str], second: Sequence[str]) -> bool:
    """Mostly the same words, and what both have in the same order."""
    shared = Counter(first) & Counter(second)
    orders = [[word for word in side if word in shared] for side in (first, second)]
    longest = max(len(first), len(second))
    return orders[0] == orders[1] and bool(longest) and len(orders[0]) >= SAME_REST * longest


def _is_joined(sentence: Sentence, words: frozenset[str], classes: WordClasses) -> bool:
    """Whether nothing but `and` stands between the words, or a deed that both do alike."""
    places = [place for place, word in enumerate(sentence.words) if word in words]
    between = sentence.words[places[0] : places[-1]]
    others = [word for word in between if word not in words and word not in classes.units]
    is_mutual = len(others) <= FEW and any(word in classes.mutual for word in others)
    ends = sentence.words[places[0]], sentence.words[places[-1]]
    is_listed = _is_listed(sentence.text.casefold(), *ends)
    return is_mutual or is_listed or all(word in classes.joining for word in others)


def _is_listed(text: str, first: str, last: str) -> bool:
    """Whether both are entries of one list of single words: `Monday, yesterday, March`."""
    begin, end = text.find(first), text.rfind(last)
    entries = text[begin : end + len(last)].split(",") if 0 <= begin < end else []
    return len(entries) > 1 and all(len(entry.split()) == 1 for entry in entries)


def _replaced(
    reference: Sentence, hypothesis: Sentence, classes: WordClasses
) -> Iterator[tuple[str, str, str]]:
    """What the lists know of words in each other's place, and of such that only one has."""
    blocks = list(_blocks(reference.shape, hypothesis.shape))
    small = [(a, b) for a, b in blocks if len(a) <= FEW and len(b) <= FEW]
    gone = Counter(reference.words) - Counter(hypothesis.words)
    come = Counter(hypothesis.words) - Counter(reference.words)
    changed = [(tuple(filter(gone.__getitem__, a)), tuple(filter(come.__getitem__, b)))
               for a, b in small]  # fmt: skip
    negated = sum(_count(a, classes.negations) - _count(b, classes.negations) for a, b in changed)
    turned = list(_opposites(changed, classes))
    if negated % 2 and not turned and _is_all_there(changed, classes):
        before, after = (" ".join(w for block in changed for w in block[n]) for n in (0, 1))
        yield "negation", before, after
    if turned:
        is_same = negated % 2 or _is_turned_round(reference, hypothesis, turned)
        kind = SAME if is_same else "opposite"
        yield from ((kind, *words) for words in turned)
    yield from _classed(changed, classes, {word for words in turned for word in words})
    if len(blocks) == 1:
        yield from _clauses(blocks, classes)


def _is_turned_round(
    reference: Sentence, hypothesis: Sentence, turned: Sequence[tuple[str, str]]
) -> bool:
    """`A is faster than B`, `B is slower than A`: all others are there, in another order."""
    rest = [
        [word for word in side.words if word not in {pair[n] for pair in turned}]
        for n, side in enumerate((reference, hypothesis))
    ]
    return rest[0] != rest[1] and Counter(rest[0]) == Counter(rest[1])


def _blocks(
    first: Sequence[str], second: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The stretches in which both differ."""
    from rapidfuzz.distance import Levenshtein

    before, after = tuple[str, ...](), tuple[str, ...]()
    for code in Levenshtein.opcodes(first, second):
        if code.tag != "equal":
            before += tuple(first[code.src_start : code.src_end])
            after += tuple(second[code.dest_start : code.dest_end])
        elif before or after:
            yield before, after
            before, after = (), ()
    if before or after:
        yield before, after


Blocks = Sequence[tuple[tuple[str, ...], tuple[str, ...]]]


def _opposites(blocks: Blocks, classes: WordClasses) -> Iterator[tuple[str, str]]:
    for before, after in blocks:
        yield from ((a, b) for a in before for b in after if classes.are_opposite(a, b))


def _is_all_there(blocks: Blocks, classes: WordClasses) -> bool:
    """Whether a negation and its auxiliaries are all that differs."""
    words = [word for block in blocks for side in block for word in side]
    return len([w for w in words if w not in classes.negations]) <= FEW - 1


def _classed(
    blocks: Blocks, classes: WordClasses, done: frozenset[str] | set[str]
) -> Iterator[tuple[str, str, str]]:
    """Words of one table and of different classes of it."""
    tables: list[tuple[str, Mapping[str, str]]] = [
        ("modality", classes.modality), ("quantity", classes.quantities), ("unit", classes.units)
    ]  # fmt: skip
    for before, after in blocks:
        for kind, table in tables:
            of = [{table[w]: w for w in side if w in table and w not in done}
                  for side in (before, after)]  # fmt: skip
            if of[0] and of[1] and not _is_one_kind(*of):
                names = {*of[0], *of[1]}
                is_tense = kind == "modality" and names <= {"will", "done"}
                words = [" ".join(side.values()) for side in of]
                yield "tense" if is_tense else kind, words[0], words[1]


def _is_one_kind(first: Iterable[str], second: Iterable[str]) -> bool:
    """Whether both have a class, or one a kind of the other's: US dollars are dollars."""
    pairs = [(set(a.split()), set(b.split())) for a in first for b in second]
    return any(a <= b or b <= a for a, b in pairs)


def _clauses(blocks: Blocks, classes: WordClasses) -> Iterator[tuple[str, str, str]]:
    """What only one of them has, where all the rest is the same."""
    for before, after in blocks:
        only = before or after
        if before and after:
            continue
        is_condition = any(word in classes.conditions for word in only)
        content = [word for word in only if len(word) > LEAST]
        if (is_condition and content) or len(content) >= LEAST:
            yield "clause", " ".join(before), " ".join(after)
