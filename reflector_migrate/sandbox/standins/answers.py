"""The answers of the stand-in language model, each drawn from the text it was given."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

from reflector_migrate.sandbox.standins.extract import Sentence, Text
from reflector_migrate.sandbox.standins.paraphrase import Voice
from reflector_migrate.sandbox.standins.prompt_parser import Asked

MAX_SUBJECTS = 6
MAX_TITLE_WORDS = 10
MAX_LISTED = 8
NOTHING = "Nothing was said."
BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(.+?)\s*$", re.MULTILINE)


class Answers:
    """Every answer that one request could want, worded by one voice."""

    def __init__(self, asked: Asked, voice: Voice) -> None:
        self._asked = asked
        self._voice = voice
        self._text = Text(asked.source)

    def as_text(self) -> str:
        """The free-text answer for the request's purpose."""
        of_purpose: dict[str, Callable[[], str]] = {
            "topic": lambda: f"Title: {self.title}\nSummary: {self.summary}",
            "title": lambda: self.title,
            "subjects": lambda: "\n".join(f"- {subject}" for subject in self.subjects),
            "participants": lambda: "\n".join(f"- {name}" for name in self.participants),
            "subject_detail": lambda: self.detail,
            "subject_paragraph": lambda: self.paragraph,
        }
        return of_purpose.get(self._asked.purpose, lambda: self.recap)()

    def labelled(self, name: str) -> str:
        """The value of a line `Name: value`, as an analysis before it may have left one."""
        pattern = rf"^\s*\**{re.escape(name)}\**\s*:\s*\**\s*(.+?)\s*$"
        found = re.search(pattern, self._asked.source, re.IGNORECASE | re.MULTILINE)
        return found[1] if found else ""

    @cached_property
    def title(self) -> str:
        """At most ten words: of a topic its key words, of a meeting one for each topic."""
        lines = [line for line in self._asked.source.splitlines() if line.strip()]
        if self._asked.purpose == "title" and len(lines) > 1:
            words = _heads(lines)
        else:
            words = self._text.key_words(5)
        words = self._voice.order(words[: MAX_TITLE_WORDS - 1], "title")
        return _sentence_case(self._joined(words)) if words else "No content"

    @cached_property
    def summary(self) -> str:
        """Two sentences: the weightiest one as it was said, then the facts of all."""
        top = self._text.top_sentences(1)
        if not top:
            return NOTHING
        quoted = _one_sentence(top[0].text)
        return self._voice.say(f"{quoted} {self._points()}", "summary")

    @cached_property
    def subjects(self) -> list[str]:
        """At most six noun phrases."""
        bullets = BULLET.findall(self._asked.source) if self._asked.is_json else []
        phrases = bullets[:MAX_SUBJECTS] or self._text.key_phrases(4)
        return self._voice.order([_sentence_case(p) for p in phrases], "subjects")

    @cached_property
    def participants(self) -> list[str]:
        """Who speaks; without labels, who is listed, else whose names are mentioned."""
        listed = list(dict.fromkeys(BULLET.findall(self._asked.source)))
        if self._asked.is_json and listed:
            return listed
        return list(self._text.speakers) or listed or list(self._text.facts.names)

    @cached_property
    def detail(self) -> str:
        """What was said about the subject, quoted line by line."""
        quotes = self._text.about(self._asked.subject, 8) or self._text.top_sentences(3)
        if not quotes:
            return NOTHING
        return "\n".join(self._voice.say(s.spoken, f"detail{n}") for n, s in enumerate(quotes))

    @cached_property
    def paragraph(self) -> str:
        """One paragraph of at most four attributed sentences."""
        found = self._text.about(self._asked.subject, 4) or self._text.top_sentences(4)
        if not found:
            return NOTHING
        return self._voice.say(" ".join(self._attributed(s) for s in found), "paragraph")

    @cached_property
    def recap(self) -> str:
        """One paragraph: who, about what, the two weightiest sentences, the facts."""
        if not self._text.sentences:
            return NOTHING
        who = self._joined(list(self._text.speakers)) or self._text.frames["group"]
        about = self._joined(self._text.key_words(5)) or "..."
        opening = self._text.frames["discussed"].format(who=who, about=about)
        quotes = " ".join(self._attributed(s) for s in self._text.top_sentences(2))
        return self._voice.say(f"{opening} {quotes} {self._points()}", "recap")

    def _points(self) -> str:
        facts = self._text.facts
        parts = {
            "points": tuple(self._text.key_words(MAX_LISTED)),
            "figures": facts.figures,
            "dates": facts.dates,
            "names": facts.names,
            "negations": facts.negations,
        }
        frames = self._text.frames
        told = [f"{frames[name]}: {', '.join(v[:MAX_LISTED])}" for name, v in parts.items() if v]
        return "; ".join(told) + "."

    def _attributed(self, sentence: Sentence) -> str:
        if not sentence.speaker:
            return _one_sentence(sentence.text)
        text = sentence.text.rstrip(".")
        return self._text.frames["said"].replace("{who}", sentence.speaker).replace("{text}", text)

    def _joined(self, words: list[str]) -> str:
        """`a, b and c`, in the language of the text."""
        if len(words) < 2:
            return "".join(words)
        return f"{', '.join(words[:-1])} {self._text.frames['and']} {words[-1]}"


def _heads(lines: list[str]) -> list[str]:
    """One key word for each line, none twice."""
    heads: list[str] = []
    for line in lines:
        ranked = Text(line).weights.most_common()
        fresh = next((word for word, _ in ranked if word not in heads), None)
        if fresh:
            heads.append(fresh)
    return heads


def _one_sentence(text: str) -> str:
    return text if text[-1] in ".!?…。！？" else f"{text}."


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
