"""Languages read in figures alone: what is read differs or not, what is not read is named."""

from __future__ import annotations

import pytest

from comparators.facts.facts import LANGUAGES, extract
from comparators.language.figures import LANGUAGES as IN_FIGURES
from comparators.registry import by_name
from reflector_migrate.model import Participant
from tests.comparing import observation, outputs_of

PEOPLE = (("p0", 0, "Ana Archer"), ("p1", 1, "Bob Brown"), ("p2", 2, "田中 太郎"))


def _compare(language, before, after):
    """The facts of two summaries in that language."""
    people = tuple(Participant(id=i, speaker=n, name=name) for i, n, name in PEOPLE)
    sides = [
        observation(
            outputs_of(title="", short_summary="", long_summary=text, topics=(), row={},
                       participants=people),
            language=language,
        )
        for text in (before, after)
    ]  # fmt: skip
    return by_name("summary_facts").compare(*sides)


ALTERED = [
    ("fr", "Le budget est de 1 200 euros.", "Le budget est de 1 300 euros."),
    ("fr", "La réunion est le 14 mars.", "La réunion est le 15 mars."),
    ("fr", "La réunion est à 14h30.", "La réunion est à 15h30."),
    ("fr", "Le budget n’est pas approuvé.", "Le budget est approuvé."),
    ("fr", "Le plan d’Ana Archer est prêt.", "Le plan de Bob Brown est prêt."),
    ("fr", "Les ventes montent de 3 % en mai.", "Les ventes montent de 5 % en mai."),
    ("es", "El presupuesto es de 3,5 millones de euros.", "El presupuesto es de 3,5 mil euros."),
    ("es", "La reunión es el 14 de marzo de 2026.", "La reunión es el 14 de mayo de 2026."),
    ("es", "El plan no fue aprobado.", "El plan fue aprobado."),
    ("es", "Cuesta 300 dólares.", "Cuesta 300 euros."),
    ("pt", "O orçamento é de 1.200 reais.", "O orçamento é de 1.300 reais."),
    ("pt", "A reunião é na segunda-feira.", "A reunião é na terça-feira."),
    ("pt", "O plano não foi aprovado.", "O plano foi aprovado."),
    ("it", "La riunione è il 14 marzo alle 15.", "La riunione è il 14 marzo alle 16."),
    ("it", "Il piano non è approvato.", "Il piano è approvato."),
    ("it", "Costa il 3,5% in più.", "Costa il 35% in più."),
    ("nl", "De vergadering is op 14 maart om 15 uur.", "De vergadering is op 14 maart om 16 uur."),
    ("nl", "Het plan is niet goedgekeurd.", "Het plan is goedgekeurd."),
    ("nl", "Er is geen budget.", "Er is budget."),
    ("pl", "Spotkanie jest 14 marca.", "Spotkanie jest 14 maja."),
    ("pl", "Plan nie został przyjęty.", "Plan został przyjęty."),
    ("pl", "Kosztuje 2,5 mln zł.", "Kosztuje 2,5 mld zł."),
    ("ja", "会議は3月14日の午後3時です。", "会議は3月14日の午後4時です。"),
    ("ja", "予算は承認されませんでした。", "予算は承認されました。"),
    ("ja", "予算は3万円です。", "予算は3億円です。"),
    ("ja", "田中さんが担当します。", "Bob Brownさんが担当します。"),
    ("zh", "会议在3月14日下午3点。", "会议在3月15日下午3点。"),
    ("zh", "预算没有获得批准。", "预算获得批准。"),
    ("zh", "预算是300万元。", "预算是300亿元。"),
    ("zh", "增长百分之5。", "增长百分之8。"),
]
REWORDED = [
    ("fr", "Le budget est de 1 200 euros.", "Un budget de 1200 € est prévu."),
    ("fr", "La réunion est à 14 h 30.", "On se réunit à 14:30."),
    ("fr", "Il y a 3 millions d’euros.", "Ce sont 3 000 000 euros."),
    ("fr", "Cela coûte 3,5 pour cent.", "Cela coûte 3,5 %."),
    ("fr", "Le 1er mai, Ana part.", "Ana Archer part le 1 mai."),
    ("es", "La reunión es a las 3 de la tarde.", "Se reúnen a las 15:00."),
    ("es", "Cuesta 2.500,50 euros.", "El precio es de 2500,50 €."),
    ("es", "Es el 14 de marzo de 2026.", "La fecha es 14/03/2026."),
    ("pt", "A reunião é às 15h.", "A reunião começa às 15:00."),
    ("pt", "Custa R$ 1.200.", "O preço é de 1200 reais."),
    ("it", "La riunione è alle 14.30.", "Ci si vede alle ore 14:30."),
    ("it", "È il 14 marzo 2026.", "La data è 14/03/2026."),
    ("nl", "Het begint om 14.30 uur.", "De start is om 14:30."),
    ("nl", "Het is op 14 maart 2026.", "De datum is 14-03-2026."),
    ("pl", "Spotkanie o godz. 14.30.", "Spotkanie jest o 14:30."),
    ("pl", "Kosztuje 2,5 mln zł.", "Cena wynosi 2 500 000 złotych."),
    ("ja", "予算は3万円です。", "3万円の予算です。"),
    ("ja", "会議は2026年3月14日です。", "２０２６年３月１４日に会議があります。"),
    ("zh", "预算是300万元。", "预算为3000000元。"),
    ("zh", "会议下午3点半开始。", "会议在15:30开始。"),
]


@pytest.mark.parametrize(("language", "before", "after"), ALTERED)
def test_an_altered_figure_date_name_or_negation_differs(language, before, after):
    """Either way round, and the check concludes."""
    for pair in ((before, after), (after, before)):
        measure = _compare(language, *pair)
        assert measure.errors
        assert not measure.inconclusive


@pytest.mark.parametrize(("language", "before", "after"), REWORDED)
def test_other_words_for_the_same_figures_agree(language, before, after):
    """The note names what was looked for, and that nothing else is read."""
    measure = _compare(language, before, after)
    assert (measure.errors, measure.inconclusive) == (0, "")
    assert "nothing else is read" in measure.note


@pytest.mark.parametrize(
    ("language", "before", "after", "word"),
    [
        ("fr", "Il faut dix jours.", "Il faut onze jours.", "dix"),
        ("fr", "Il faut dix jours.", "Il faut 10 jours.", "dix"),
        ("es", "Faltan diez días.", "Faltan once días.", "diez"),
        ("pt", "Faltam dez dias.", "Faltam vinte dias.", "dez"),
        ("it", "Mancano dieci giorni.", "Mancano ventitré giorni.", "ventitré"),
        ("nl", "Nog vijfentwintig dagen.", "Nog vijfendertig dagen.", "vijfentwintig"),
        ("pl", "Zostało pięć dni.", "Zostało sześć dni.", "pięć"),
        ("ja", "期限は三日です。", "期限は五日です。", "三"),
        ("zh", "还有三天。", "还有五天。", "三"),
    ],
)
def test_numbers_in_words_are_inconclusive_by_name_where_they_differ(language, before, after, word):
    """They are not read: neither a match nor a difference."""
    measure = _compare(language, before, after)
    assert word in measure.inconclusive
    assert _compare(language, before, f"{before} ").inconclusive == ""


def test_a_difference_that_is_read_counts_beside_one_that_is_not():
    """A lost negation is not hidden by a number in words."""
    measure = _compare("fr", "Le plan n’est pas prêt en dix jours.", "Le plan est prêt en onze.")
    assert measure.errors
    assert not measure.inconclusive


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_has_its_file_and_negates(language):
    """Ten of them; in each, a negation list finds what its own words negate."""
    assert len(LANGUAGES) == 10
    assert IN_FIGURES < LANGUAGES
    said = {"en": "not ready", "de": "nicht fertig", "fr": "pas prêt", "es": "no listo",
            "pt": "não pronto", "it": "non pronto", "nl": "niet klaar", "pl": "nie gotowe",
            "ja": "準備しない", "zh": "不准备"}[language]  # fmt: skip
    assert [fact.kind for fact in extract(said, language)] == ["negation"]
