"""One recording's comparison as lines of a terminal, readable without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.console import Console, Group
from rich.text import Text

from reflector_migrate.model import STEP_NAMES, Check, Comparison, Finding, Side, Turn, Verdict
from reflector_migrate.model.plural import counted
from reports import figures
from reports.drawer import delta, repeats
from reports.glyphs import STYLES, glyph_word, to_ascii
from reports.text import clipped, visible
from reports.waterfall import Bar, bars, length_s

NARROW = 80
TURNS_SHOWN = 3
FINDINGS_SHOWN = 2
VALUE_LETTERS = 26
REMARK_LETTERS = 120
FINE = (Verdict.MATCHED, Verdict.WITHIN_NOISE, Verdict.WAIVED)
HEADS = ("check", "primary", "candidate", "difference", "floor/limit", "")
NAME_WIDTH = max(map(len, STEP_NAMES))


def render(
    comparison: Comparison,
    console: Console,
    *,
    is_ascii: bool | None = None,
    has_next: bool = True,
    is_whole: bool = False,
) -> None:
    """Print header, verdict, checks, waterfall, word diff and what to do next.

    Failed checks come first, and all that match are one line. Times are shown where something
    differs. is_whole: every check in full, and times always. is_ascii: only characters that any
    terminal has; None where the console's encoding decides. has_next: the comparison is stored
    where the next command looks. Colour and width are the console's own.
    """
    if is_ascii is None:
        is_ascii = not console.encoding.startswith("utf")
    if not is_ascii:
        _render(comparison, console, has_next, is_whole)
        return
    with console.capture() as captured:
        _render(comparison, console, has_next, is_whole)
    console.file.write(to_ascii(captured.get()))


def _render(comparison: Comparison, console: Console, has_next: bool, is_whole: bool) -> None:
    for line in _header(comparison, console.width):
        console.print(line, soft_wrap=True)
    console.print(_verdict(comparison), soft_wrap=True)
    for note in comparison.notes:
        console.print(Text(f"note   {visible(note)}", style="dim"), soft_wrap=True)
    if comparison.defects:
        seeded = f"note   injected on purpose: {', '.join(map(visible, comparison.defects))}"
        console.print(Text(seeded, style="dim"), soft_wrap=True)
    console.print()
    is_narrow = console.width < NARROW
    console.print(_check_lines(comparison) if is_narrow else _table(comparison, console, is_whole))
    if not is_narrow and (is_whole or comparison.verdict not in FINE):
        console.print(_waterfall(comparison, console.width))
    for turn in comparison.turns[:TURNS_SHOWN]:
        console.print(_turn(turn), soft_wrap=True)
    if has_next:
        console.print(_next(comparison), soft_wrap=True)


def _header(comparison: Comparison, width: int) -> Iterator[Text]:
    """As many parts a line as fit; no part is ever cut."""
    where = "sandbox" if comparison.origin == "sandbox" else ""
    parts = [where, comparison.recording, comparison.title, figures.clock(comparison.duration_s)]
    if comparison.track_count is not None:
        parts.append(counted(comparison.track_count, "track"))
    parts += [_side_words(comparison.primary), _side_words(comparison.candidate)]
    line = ""
    for part in (visible(part) for part in parts if part and part != "-"):
        if line and len(line) + 2 + len(part) > width:
            yield Text(line)
            line = ""
        line += f"  {part}" if line else part
    yield Text(line)


def _side_words(side: Side) -> str:
    ended = figures.zulu(side.ended)
    when = f" {ended}" if ended != "-" else ""
    return f"{side.role.value} {side.engine.value} {side.status}{when}"


def _verdict(comparison: Comparison) -> Text:
    glyph = glyph_word(comparison.verdict).split(" ", 1)[0]
    line = Text(f"{glyph} {comparison.verdict.value}", style=STYLES[comparison.verdict])
    line.append(f"  {_why(comparison)}", style="default")
    if comparison.first_divergent_step is not None:
        line.append("   first divergent step: ")
        line.append(comparison.first_divergent_step.step, style="bold")
    return line


def _why(comparison: Comparison) -> str:
    judged = [check for check in comparison.checks if _enters(check)]
    floor = f" (A/A: {_pairs(comparison)})" if comparison.noise_pairs else ""
    if comparison.verdict is Verdict.MATCHED:
        return f"{len(judged)} checks, no difference{floor}"
    against = sum(check.verdict is comparison.verdict for check in judged)
    if comparison.verdict is Verdict.WITHIN_NOISE:
        equal = sum(check.verdict is Verdict.MATCHED for check in judged)
        return f"{equal} checks match, {against} differ no more than legacy from itself{floor}"
    return f"{against} of {len(judged)} checks {glyph_word(comparison.verdict)[2:]}{floor}"


def _pairs(comparison: Comparison) -> str:
    return counted(comparison.noise_pairs, "legacy pair")


def _enters(check: Check) -> bool:
    return check.measure is None or check.measure.kind != "informational"


def _table(comparison: Comparison, console: Console, is_whole: bool) -> Group:
    """The worst check first, its reasons below it; what matches is one line, unless is_whole."""
    order = list(Verdict)
    judged = sorted(
        (check for check in comparison.checks if _enters(check)),
        key=lambda check: order.index(check.verdict),
    )
    folded = [] if is_whole else [c for c in judged if c.verdict is Verdict.MATCHED]
    nightly = [check for check in comparison.checks if not _enters(check)]
    shown = [check for check in (*judged, *nightly) if check not in folded]
    widths = [max(map(len, column)) for column in zip(HEADS, *map(_cells, shown), strict=True)]
    lines = [Text("  ".join(_aligned(HEADS, widths)).rstrip(), style="dim")] if shown else []
    for check in shown:
        cells = _aligned(_cells(check), widths)
        line = Text("  ".join(cells[:-1]) + "  ")
        lines.append(line.append_text(_mark(check)))
        lines += _wrapped(_remark(check), console.width)
    if folded:
        names = ", ".join(visible(check.name.replace("_", " ")) for check in folded)
        mark = Text(glyph_word(Verdict.MATCHED), style=STYLES[Verdict.MATCHED])
        lines.append(mark.append(f"  {counted(len(folded), 'check')}", style="default"))
        lines += _wrapped(names, console.width)
    return Group(*lines)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Names to the left, what both sides show and how far apart to the right."""
    return [
        cell.ljust(width) if place == 0 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]


def _wrapped(text: str, width: int) -> list[Text]:
    """The text below its line, indented; ids are not broken."""
    found = wrap(text, width - 4, break_long_words=False, break_on_hyphens=False)
    return [Text(f"    {line}", style="dim") for line in found]


def _cells(check: Check) -> tuple[str, ...]:
    measure = check.measure
    reference = _short(measure.reference_text) if measure else "-"
    hypothesis = _short(measure.hypothesis_text) if measure else "-"
    name = visible(check.name.replace("_", " "))
    return (name, reference, hypothesis, delta(check), _limit(check), "")


def _short(text: str) -> str:
    """So much of it that a table of checks fits a pipe's 120 columns."""
    return visible(text) if len(text) <= VALUE_LETTERS else f"{visible(text[: VALUE_LETTERS - 1])}…"


def _worded(check: Check) -> str:
    return glyph_word(check.verdict) if _enters(check) else "- judged nightly"


def _mark(check: Check) -> Text:
    return Text(_worded(check), style=STYLES[check.verdict] if _enters(check) else "dim")


def _limit(check: Check) -> str:
    if check.measure is not None and check.measure.kind == "exact":
        return "equal"
    return "-" if check.limit is None else f"≤ {figures.percent(check.limit)}"


def _remark(check: Check) -> str:
    findings = _shown_findings(check)
    said = [
        "" if not _enters(check) else check.note,
        repeats(check),
        *dict.fromkeys(finding.message for finding in findings),
    ]
    hidden = len(check.measure.findings) - len(findings) if check.measure and findings else 0
    if hidden > 0:
        said.append(f"and {hidden} more")
    return "; ".join(clipped(text, REMARK_LETTERS) for text in said if text)


def _shown_findings(check: Check) -> tuple[Finding, ...]:
    if check.measure is None or check.verdict in {Verdict.MATCHED, Verdict.WITHIN_NOISE}:
        return ()
    return check.measure.findings[:FINDINGS_SHOWN]


def _check_lines(comparison: Comparison) -> Group:
    order = list(Verdict)
    worst_first = sorted(comparison.checks, key=lambda c: (not _enters(c), order.index(c.verdict)))
    return Group(*map(_check_line, worst_first))


def _check_line(check: Check) -> Text:
    name = visible(check.name.replace("_", " "))
    return _mark(check).append(f"  {name}  {delta(check)}", style="default")


def _waterfall(comparison: Comparison, width: int) -> Group:
    sides = (comparison.primary, comparison.candidate)
    total = length_s(*sides)
    if not total:
        return Group(Text("steps  no times are known", style="dim"))
    room = max(20, min(width, 120) - 72)
    legend = Text("       P primary  C candidate  ▒ queued  █ running", style="dim")
    scale = Text(f"steps  {'':{NAME_WIDTH - 2}} 0s{figures.span(total):>{room - 2}}", style="dim")
    return Group(Text(), scale, legend, *_rows(sides, total, room), Text())


def _rows(sides: tuple[Side, Side], total: float, room: int) -> Iterator[Text]:
    drawn = [_by_step(side) for side in sides]
    for step in STEP_NAMES:
        name = step
        for letter, found in zip("PC", drawn, strict=True):
            if step in found:
                yield Text(f"  {name:<{NAME_WIDTH}} {letter} {_strip(found[step], total, room)}")
                name = ""


def _by_step(side: Side) -> dict[str, list[Bar]]:
    found: dict[str, list[Bar]] = {}
    for bar in bars(side):
        found.setdefault(bar.step, []).append(bar)
    return found


def _strip(of_step: list[Bar], total: float, room: int) -> str:
    cells = [" "] * room
    for sign, first, last in _stretches(of_step):
        start = min(room - 1, int(first / total * room))
        for cell in range(start, max(start + 1, min(room, round(last / total * room)))):
            cells[cell] = sign
    wait, run = max(b.wait_s for b in of_step), sum(b.run_s for b in of_step)
    many = f" {len(of_step)} tracks" if len(of_step) > 1 else ""
    return f"{''.join(cells)}  {figures.span(wait)} + {figures.span(run)}{many}"


def _stretches(of_step: list[Bar]) -> Iterator[tuple[str, float, float]]:
    for bar in of_step:
        if bar.wait_s > 0:
            yield "▒", bar.queued_s, bar.started_s
    for bar in of_step:
        yield "█", bar.started_s, bar.ended_s


def _turn(turn: Turn) -> Text:
    who = visible(turn.speaker_name or ("" if turn.speaker is None else f"Speaker {turn.speaker}"))
    line = Text(f"words  {figures.clock(turn.at_s)}  {who}  ")
    for kind, words in turn.diff:
        shown = {"equal": "{}", "delete": "[-{}-]", "insert": "{{+{}+}}"}[kind]
        style = {"equal": "", "delete": "red", "insert": "green"}[kind]
        line.append(shown.format(visible(words)) + " ", style=style)
    line.rstrip()
    return line


def _next(comparison: Comparison) -> Text:
    worst = next((c for c in comparison.checks if c.verdict is comparison.verdict), None)
    if comparison.verdict is Verdict.MATCHED or worst is None:
        return Text(f"next   migrate explain {comparison.recording}", style="dim")
    return Text(f"next   migrate explain {comparison.recording} {worst.name}", style="dim")
