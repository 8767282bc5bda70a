"""A title or summary beside the transcript that it was written from."""

from __future__ import annotations

from typing import NamedTuple

from comparators.alignment.transcript_pair import Transcript
from comparators.facts.facts import LANGUAGES, extract, spoken_facts
from comparators.facts.speaker_attribution import attributions
from comparators.facts.tokens import Fact
from reflector_migrate.model import Participant

ANY = "en"
"""Equal texts state equal facts in whatever language they are read."""


class Stated(NamedTuple):
    """A text, its language (None: unknown), the words it was written from, people to look for."""

    text: str
    language: str | None
    transcript: Transcript
    participants: tuple[Participant, ...]
    names: frozenset[str]

    @property
    def read_as(self) -> str:
        """The language whose lexicon it is read by."""
        return self.language if self.language in LANGUAGES and self.language else ANY

    def facts(self) -> frozenset[Fact]:
        """Facts of the text."""
        return extract(self.text, self.read_as, self.names)

    def attributions(self) -> frozenset[Fact]:
        """Whose words it attributes to another person."""
        return attributions(self.text, self.read_as, self.transcript, self.participants, self.names)

    def spoken_facts(self) -> frozenset[Fact]:
        """Facts of the run's own transcript."""
        return spoken_facts(self.transcript, self.read_as, self.names)
