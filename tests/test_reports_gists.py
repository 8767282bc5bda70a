"""What a night counts of a comparison, and that a page needs little more."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from hashlib import sha256

import pytest

from fixtures.reports.nights import NIGHT, awkward, night
from reflector_migrate.model import Comparison, Gist, gist_of
from reflector_migrate.model import comparison_index as rules
from reflector_migrate.model.finding_groups import groups_from_text, wildcarded
from reports import medians
from reports.document import Coverage, Night
from reports.page import render_page
from reports.picks import MATCHES, ONE_SIDED, WORST, carried
from reports.redact import bare_path, redact

pytestmark = pytest.mark.heavy

TOLD = (*night(250).comparisons, awkward())


def test_what_a_gist_says_has_a_version() -> None:
    """If this differs, what is stored says something else: count VERSION up, then mend it here."""
    said = repr(tuple(map(gist_of, TOLD)))
    assert (rules.VERSION, sha256(said.encode()).hexdigest()[:12]) == (2, "6d24106e16b9")


def test_a_gist_counts_like_findings_together() -> None:
    """Worst severity, first example; a waived one apart; a check without findings for itself."""
    (told,) = groups_from_text([gist_of(awkward()).told])
    assert [(t.path, t.severity, t.times, t.reference) for t in told] == [
        ("row/topics/*/x", "critical", 2, True),
        ("row/topics/*/x", "major", 1, None),
        ("words", "major", 1, None),
    ]
    assert told[0].hypothesis == 0.1 + 0.2
    assert (told[1].message[-16:], told[2].kind) == ("… (+1640 letters)"[-16:], "errored")
    gist = gist_of(awkward())
    assert (gist.against, gist.exact, gist.critical, gist.floorless) == (2, 1, 1, 1)
    far, *unknown = rules.numbers_of([gist.grades])
    assert (far, list(map(math.isnan, unknown))) == (1 / 3, [True] * 3)


def _same(found: Sequence[Gist], documents: Sequence[Comparison]) -> bool:
    return tuple(found) == tuple(map(gist_of, documents))


def test_redacting_a_gist_is_redacting_its_document() -> None:
    """Whichever is done first; and the open night is another one."""
    for documents in (TOLD, TOLD[-1:]):
        hidden = redact(Night(NIGHT, "x", Coverage(1, 1), documents, is_redacted=True))
        assert _same(hidden.gists, hidden.comparisons)
        assert not _same(hidden.gists, documents)


def test_wildcarding_and_baring_a_path_commute() -> None:
    """So that a redacted night groups what an open one does, and no more words show."""
    rng = random.Random(4)
    parts = ["row", "mp3", "12", "1234567", "Ana", "track 3", "title", "a1b2c3d4", "p0#2", "*", ""]
    for _ in range(500):
        path = "/".join(rng.choices(parts, k=rng.randrange(1, 5)))
        assert bare_path(wildcarded(path)) == wildcarded(bare_path(path))


def test_a_page_needs_only_what_it_shows_in_full() -> None:
    """The same page as from all documents, of which the night carries few."""
    documents = night(1_500).comparisons
    gists = tuple(map(gist_of, documents))
    places = carried(gists, NIGHT)
    few = Night(
        NIGHT, "x", Coverage(1, 1), tuple(documents[p] for p in places), gists=gists, places=places
    )
    assert render_page(few) == render_page(Night(NIGHT, "x", Coverage(1, 1), documents))
    assert len(places) <= medians.MOST + WORST + ONE_SIDED + MATCHES


def test_a_comparison_that_is_not_carried_is_an_error() -> None:
    """Rendering reads nothing: a place without its document raises KeyError."""
    gists = tuple(map(gist_of, TOLD))
    few = Night(NIGHT, "x", Coverage(1, 1), TOLD[:1], gists=gists, places=(0,))
    with pytest.raises(KeyError):
        few.documents([1])
