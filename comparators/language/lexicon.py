"""The words that make a fact a fact, per language; what is not here cannot be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from comparators.language.figures import LANGUAGES as IN_FIGURES
from comparators.language.figures import Figures, data_of, figures_of


def word_set(text: str) -> frozenset[str]:
    """The words of a line, for tables that are read by people."""
    return frozenset(text.split())


def word_list(text: str) -> list[str]:
    """The same in order."""
    return text.split()


def _table(text: str) -> dict[str, str]:
    """`percent: prozent percent; euro: eur` as {word: canonical form}."""
    entries = [entry.split(":") for entry in text.split(";") if entry.strip()]
    return {word: name.strip() for name, words in entries for word in words.split()}


class Lexicon(NamedTuple):
    """Canonical forms by word as normalised: lower case, no apostrophes.

    days and months are dates by themselves; `unsure` ones only beside a number or
    after a preposition. ones: what counts one in front of a span of time.
    negators are verbs whose deed is not done, where it follows behind `infinitive`, with
    nothing but `occasions` between: `missed its date to deliver`. refusals negate what is
    done in the next word, or in the one they are the end of: `against postponing`,
    `postponing was ruled out`. of: what may stand between a day and its month. figures: of a
    language whose figures, names and negations alone are read.
    """

    language: str
    negations: frozenset[str]
    negators: frozenset[str]
    infinitive: str
    occasions: frozenset[str]
    refusals: frozenset[str]
    refused: frozenset[str]
    deeds: tuple[str, ...]
    not_only: frozenset[str]
    limits: frozenset[str]
    days: Mapping[str, str]
    months: Mapping[str, int]
    unsure: frozenset[str]
    relatives: Mapping[str, str]
    ordinals: Mapping[str, int]
    ones: frozenset[str]
    units: Mapping[str, str]
    measures: Mapping[str, str]
    spans: Mapping[str, str]
    scales: Mapping[str, float]
    clock: Mapping[str, str]
    skipped: frozenset[str]
    of: frozenset[str] = frozenset({"of"})
    figures: Figures | None = None


def _numbered(text: str, start: int = 1) -> dict[str, int]:
    """Words and what they count, alternatives apart by a slash."""
    entries = enumerate(text.split(), start)
    return {word: n for n, words in entries for word in words.split("/")}


MONTHS = word_list(
    "january february march april may june july august september october november december"
)
_ORDINALS_DE = _numbered(
    "erste zweite dritte vierte fünfte sechste siebte/siebente achte neunte zehnte elfte zwölfte "
    "dreizehnte vierzehnte fünfzehnte sechzehnte siebzehnte achtzehnte neunzehnte zwanzigste "
    "einundzwanzigste zweiundzwanzigste dreiundzwanzigste vierundzwanzigste fünfundzwanzigste "
    "sechsundzwanzigste siebenundzwanzigste achtundzwanzigste neunundzwanzigste "
    "dreissigste/dreißigste einunddreissigste/einunddreißigste"
)
SPANS: Mapping[str, tuple[int, str]] = {
    "quarter hour": (15, "minute"), "three quarter hour": (45, "minute"),
    "hour": (60, "minute"), "week": (7, "day"), "quarter": (3, "month"), "year": (12, "month"),
}  # fmt: skip
"""A span of time in the unit below it, so that 90 minutes are an hour and a half."""

_MONEY = (
    "dollar: dollar dollars bucks; us dollar: usd; canadian dollar: cad; australian dollar: aud; "
    "new zealand dollar: nzd; hong kong dollar: hkd; singapore dollar: sgd; "
    "euro: euro euros eur; pound: pound pounds gbp quid pfund; "
    "franc: franc francs chf franken; yen: yen jpy; rupee: rupee rupees inr; "
    "cent: cent cents"
)
_MEASURES = (
    "metre: metre metres meter meters metern; foot: foot feet fuss fuß; inch: inch inches zoll; "
    "km: km kilometre kilometres kilometer kilometers kilometern; mile: mile miles meile meilen; "
    "mm: mm millimetre millimetres millimeter millimeters; "
    "cm: cm centimetre centimetres centimeter centimeters zentimeter; "
    "mg: mg milligram milligrams milligramm; gram: g gram grams gramm; "
    "pound weight: lb lbs; ounce: oz ounce ounces unze unzen; "
    "ml: ml millilitre millilitres milliliter milliliters; "
    "watt: watt watts; kw: kw kilowatt kilowatts; mw: mw megawatt megawatts; "
    "kwh: kwh; mwh: mwh; volt: volt volts; "
    "mbit: mbit mbits megabit megabits mbps; gbit: gbit gbits gigabit gigabits gbps; "
    "hz: hz hertz; khz: khz; mhz: mhz; ghz: ghz; kmh: kmh; mph: mph; "
    "kg: kg kilo kilos kilogram kilograms kilogramm; tonne: tonne tonnes tonnen ton tons; "
    "litre: litre litres liter liters litern; gallon: gallon gallons; "
    "kb: kb kilobyte kilobytes; mb: mb megabyte megabytes; gb: gb gigabyte gigabytes; "
    "tb: tb terabyte terabytes; second: second seconds sec secs sekunde sekunden; "
    "microsecond: microsecond microseconds mikrosekunde mikrosekunden; "
    "ms: ms millisecond milliseconds millisekunde millisekunden; degree: degree degrees grad; "
    "degree celsius: celsius; degree fahrenheit: fahrenheit"
)

ENGLISH = Lexicon(
    language="en",
    negations=word_set(
        "not no never none nobody noone nothing neither nor nowhere without cannot cant dont "
        "doesnt didnt wont wouldnt shouldnt couldnt isnt arent wasnt werent hasnt havent hadnt "
        "mustnt shant neednt aint unable lacks lacked lacking hardly barely scarcely rarely "
        "seldom"),
    negators=word_set(
        "declined declines decline refused refuses refuse failed fails fail neglected neglects "
        "neglect forgot forgets forget missed misses miss"),
    infinitive="to",
    occasions=word_set(
        "date deadline chance opportunity a an the its his her their our this that"),
    refusals=word_set("against reject rejects rejected rejecting rule rules ruled ruling"),
    refused=word_set("rejected ruled"),
    deeds=("ing",),
    not_only=word_set("only just merely"),
    limits=word_set("until till before"),
    days=_table(
        "monday: monday mondays mon; tuesday: tuesday tuesdays tue tues; "
        "wednesday: wednesday wednesdays; thursday: thursday thursdays thu thur thurs; "
        "friday: friday fridays fri; saturday: saturday saturdays; sunday: sunday sundays; "
        "today: today; tomorrow: tomorrow; yesterday: yesterday; tonight: tonight"),
    months=_numbered(
        "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug "
        "september/sep/sept october/oct november/nov december/dec"),
    unsure=word_set("may march mar jan jun aug sep oct dec"),
    relatives=_table("next: next coming following; last: last previous past; this: this current"),
    ordinals={**_numbered(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
        "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"),
        "thirtieth": 30},
    ones=word_set("one a an"),
    units=_table("percent: percent;" + _MONEY),
    measures=_table(_MEASURES),
    spans=_table(
        "minute: minute minutes min mins; hour: hour hours h hrs; day: day days; "
        "week: week weeks; month: month months; quarter: quarter quarters; year: year years"),
    scales={"k": 1e3, "thousand": 1e3, "mn": 1e6, "million": 1e6, "millions": 1e6,
            "bn": 1e9, "billion": 1e9, "billions": 1e9, "dozen": 12},
    clock=_table("am: am morning; pm: pm afternoon evening; clock: oclock; half: half; "
                 "quarter: quarter; past: past after; "
                 "to: to; noon: noon midday; midnight: midnight"),
    skipped=word_set(
        "the a an to be been being have has had having any yet it its that this these those we "
        "they he she i you is are was were will would do does did done and or of in on at for so "
        "very can could should must may might able going get make give take longer more also "
        "still fully really actually currently before until till by their his her our with"),
)  # fmt: skip
GERMAN = Lexicon(
    language="de",
    negations=word_set(
        "nicht nein kein keine keinen keinem keiner keines keinerlei keineswegs nie niemals "
        "nichts niemand niemanden niemandem ohne weder nirgends kaum selten"),
    negators=word_set(
        "versäumt versäumte versäumten verpasst verpasste verpassten weigert weigerte weigern "
        "weigerten vergisst vergass vergassen vergessen unterliess unterliessen unterlassen"),
    infinitive="zu",
    occasions=word_set(
        "frist termin chance gelegenheit es sich die den das ihre ihren seine seinen diese "
        "diesen eine einen"),
    refusals=word_set("gegen abgelehnt ausgeschlossen verworfen"),
    refused=word_set("abgelehnt ausgeschlossen verworfen"),
    deeds=("ung", "ungen"),
    not_only=word_set("nur"),
    limits=word_set("bis vor bevor"),
    days={
        **_table(
            "monday: montag montags; tuesday: dienstag dienstags; wednesday: mittwoch mittwochs; "
            "thursday: donnerstag donnerstags; friday: freitag freitags; "
            "saturday: samstag samstags sonnabend; sunday: sonntag sonntags; today: heute; "
            "yesterday: gestern"),
        "übermorgen": "day after tomorrow", "vorgestern": "day before yesterday",
    },
    months=_numbered(
        "januar/jänner/jan februar/feber/feb märz april/apr mai juni/jun juli/jul august/aug "
        "september/sep/sept oktober/okt november/nov dezember/dez"),
    unsure=word_set("jan feb apr jun jul aug sep sept okt nov dez"),
    relatives=_table(
        "next: nächste nächsten nächster nächstes nächstem kommende kommenden kommender "
        "kommendes; last: letzte letzten letzter letztes letztem vergangene vergangenen "
        "vergangener; this: diese diesen dieser dieses diesem"),
    ordinals={word + ending: n for word, n in _ORDINALS_DE.items()
              for ending in ("", "n", "r", "s", "m")},
    ones=word_set("ein eine einen einem einer eines"),
    units=_table("percent: prozent percent;" + _MONEY),
    measures=_table(_MEASURES),
    spans=_table(
        "minute: minute minuten min; quarter hour: viertelstunde viertelstunden; "
        "three quarter hour: dreiviertelstunde; hour: stunde stunden std h; day: tag tage tagen; "
        "week: woche wochen; month: monat monate monaten monats; "
        "quarter: quartal quartale quartals; year: jahr jahre jahren jahres"),
    scales={"tsd": 1e3, "tausend": 1e3, "mio": 1e6, "million": 1e6, "millionen": 1e6,
            "mrd": 1e9, "milliarde": 1e9, "milliarden": 1e9, "dutzend": 12},
    clock=_table("am: morgens vormittags; pm: abends nachmittags; clock: uhr; half: halb; "
                 "quarter: viertel; past: nach; to: vor; "
                 "midnight: mitternacht"),
    skipped=word_set(
        "der die das den dem des ein eine einen einem einer zu sein haben hat hatte es wir sie er "
        "ich ist sind war waren wird werden wurde wurden worden und oder von im in am an auf für "
        "so sehr mehr noch vor bis mit bei sich können kann konnte soll sollte muss mehr auch"),
)  # fmt: skip
GERMAN_DAYS = tuple(word for word in GERMAN.days if word.endswith("tag"))
"""Weekdays that begin longer words: Freitagabend."""
IN_FULL: Mapping[str, Lexicon] = {"en": ENGLISH, "de": GERMAN}
"""Languages with number words, units and lists of opposites, too."""


@lru_cache
def _in_figures(language: str) -> Lexicon:
    """Of a language's file; an unspaced one is spelt in English where it has words for units."""
    data, figures = data_of(language), figures_of(language)
    is_unspaced = figures is not None and figures.is_unspaced
    none = frozenset[str]()
    scales = _table(data["scales"])
    return Lexicon(
        language=language,
        negations=word_set(data["negations"]),
        negators=none,
        infinitive="",
        occasions=none,
        refusals=none,
        refused=none,
        deeds=(),
        not_only=word_set(data["not_only"]),
        limits=none,
        days=ENGLISH.days if is_unspaced else _table(data["days"]),
        months=_numbered(data["months"]),
        unsure=none,
        relatives={},
        ordinals={},
        ones=word_set(data["ones"]),
        units=_table(f"percent: percent; {_MONEY}; {data['money']}"),
        measures=_table(_MEASURES),
        spans=ENGLISH.spans if is_unspaced else _table(data["spans"]),
        scales={word: float(value) for word, value in scales.items()},
        clock=ENGLISH.clock if is_unspaced else {},
        skipped=word_set(data["skipped"]),
        of=word_set(data["of"]),
        figures=figures,
    )


class _Lexicons(Mapping[str, Lexicon]):
    """By language; a file is read when its language is first asked for."""

    def __getitem__(self, language: str) -> Lexicon:
        if language in IN_FULL:
            return IN_FULL[language]
        if language in IN_FIGURES:
            return _in_figures(language)
        raise KeyError(language)

    def __iter__(self) -> Iterator[str]:
        return iter((*IN_FULL, *sorted(IN_FIGURES)))

    def __len__(self) -> int:
        return len(IN_FULL) + len(IN_FIGURES)


LEXICONS: Mapping[str, Lexicon] = _Lexicons()
