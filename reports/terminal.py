"""One recording's comparison as lines of a terminal, readable without colour."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
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
VALUE_WIDTH = 20
VALUE_LETTERS = 80
REMARK_LETTERS = 120
NAME_WIDTH = max(map(len, STEP_NAMES))


def render(
    comparison: Comparison,
    console: Console,
    *,
    is_ascii: bool | None = None,
    has_next: bool = True,
) -> None:
    """Print header, verdict, checks, waterfall, word diff and what to do next.

    is_ascii: only characters that any terminal has; None where the console's
    encoding decides. has_next: the comparison is stored where the next command looks.
    Colour and width are the console's own.
    """
    if is_ascii is None:
        is_ascii = not console.encoding.startswith("utf")
    if not is_ascii:
        _render(comparison, console, has_next)
        return
    with console.capture() as captured:
        _render(comparison, console, has_next)
    console.file.write(to_ascii(captured.get()))


def _render(comparison: Comparison, console: Console, has_next: bool) -> None:
    console.print(_header(comparison), soft_wrap=True)
    console.print(_verdict(comparison), soft_wrap=True)
    for note in comparison.notes:
        console.print(Text(f"note   {visible(note)}", style="dim"), soft_wrap=True)
    console.print()
    is_narrow = console.width < NARROW
    console.print(_check_lines(comparison) if is_narrow else _check_table(comparison))
    if not is_narrow:
        console.print(_waterfall(comparison, console.width))
    for turn in comparison.turns[:TURNS_SHOWN]:
        console.print(_turn(turn), soft_wrap=True)
    if has_next:
        console.print(_next(comparison), soft_wrap=True)


def _header(comparison: Comparison) -> Text:
    parts = [comparison.recording, comparison.title, figures.clock(comparison.duration_s)]
    if comparison.track_count is not None:
        parts.append(counted(comparison.track_count, "track"))
    parts += [_side_words(comparison.primary), _side_words(comparison.candidate)]
    return Text("  ".join(visible(part) for part in parts if part and part != "-"))


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
    against = sum(check.verdict is comparison.verdict for check in judged)
    floor = f" (A/A: {_pairs(comparison)})" if comparison.noise_pairs else ""
    if comparison.verdict is Verdict.MATCHED:
        return f"{len(judged)} checks, no difference{floor}"
    return f"{against} of {len(judged)} checks {glyph_word(comparison.verdict)[2:]}{floor}"


def _pairs(comparison: Comparison) -> str:
    return counted(comparison.noise_pairs, "legacy pair")


def _enters(check: Check) -> bool:
    return check.measure is None or check.measure.kind != "informational"


def _check_table(comparison: Comparison) -> Table:
    """Names, deltas and verdicts are never cut; what both sides show folds first."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("check", no_wrap=True)
    for name in ("primary", "candidate"):
        table.add_column(name, justify="right", overflow="fold", max_width=VALUE_WIDTH)
    table.add_column("delta", justify="right", no_wrap=True)
    table.add_column("floor/limit", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("", overflow="fold")
    for check in comparison.checks:
        table.add_row(*_cells(check))
    return table


def _cells(check: Check) -> tuple[RenderableType, ...]:
    measure = check.measure
    reference = clipped(measure.reference_text, VALUE_LETTERS) if measure else "-"
    hypothesis = clipped(measure.hypothesis_text, VALUE_LETTERS) if measure else "-"
    name = Text(visible(check.name.replace("_", " ")))
    numbers = (Text(delta(check)), Text(_limit(check)))
    verdict = Text("- by night") if not _enters(check) else _mark(check)
    return (name, Text(reference), Text(hypothesis), *numbers, verdict, Text(_remark(check)))


def _mark(check: Check) -> Text:
    return Text(glyph_word(check.verdict), style=STYLES[check.verdict])


def _limit(check: Check) -> str:
    if check.measure is not None and check.measure.kind == "exact":
        return "equal"
    return "-" if check.limit is None else f"≤ {figures.percent(check.limit)}"


def _remark(check: Check) -> str:
    said = [
        "" if not _enters(check) else check.note,
        repeats(check),
        *(f.message for f in _shown_findings(check)),
    ]
    hidden = len(check.measure.findings) - FINDINGS_SHOWN if check.measure else 0
    if hidden > 0:
        said.append(f"and {hidden} more")
    return "; ".join(clipped(text, REMARK_LETTERS) for text in said if text)


def _shown_findings(check: Check) -> tuple[Finding, ...]:
    if check.measure is None or check.verdict in {Verdict.MATCHED, Verdict.WITHIN_NOISE}:
        return ()
    return check.measure.findings[:FINDINGS_SHOWN]


def _check_lines(comparison: Comparison) -> Group:
    return Group(*(_check_line(check) for check in comparison.checks))


def _check_line(check: Check) -> Text:
    line = Text("- " if not _enters(check) else "")
    if _enters(check):
        line.append_text(_mark(check)).append("  ")
    return line.append(f"{check.name.replace('_', ' ')}  {delta(check)}")


def _waterfall(comparison: Comparison, width: int) -> Group:
    sides = (comparison.primary, comparison.candidate)
    total = length_s(*sides)
    if not total:
        return Group(Text("steps  no times are known", style="dim"))
    room = max(20, min(width, 120) - 65)
    scale = (
        f"steps  {'':{NAME_WIDTH - 2}} 0s{figures.span(total):>{room - 2}}   ▒ queued  █ running"
    )
    return Group(Text(), Text(scale, style="dim"), *_rows(sides, total, room), Text())


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
    return line


def _next(comparison: Comparison) -> Text:
    worst = next((c for c in comparison.checks if c.verdict is comparison.verdict), None)
    if comparison.verdict is Verdict.MATCHED or worst is None:
        return Text(f"next   migrate explain {comparison.recording}", style="dim")
    return Text(f"next   migrate explain {comparison.recording} {worst.name}", style="dim")
