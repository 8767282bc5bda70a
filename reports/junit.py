"""Comparisons as JUnit XML: a suite a recording, a case a check."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from reflector_migrate.model import Comparison, Verdict
from reflector_migrate.model.comparison_index import wall_s
from reports.drawer import CheckLine, drawer
from reports.text import clipped

_REJECTED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENT = {
    Verdict.DIVERGED.value: "failure",
    Verdict.ERRORED.value: "error",
    Verdict.INCONCLUSIVE.value: "skipped",
}


def render(comparisons: list[Comparison]) -> str:
    """The XML document. A recording without any check has one case, skipped: never passed."""
    root = ET.Element("testsuites", name="migrate compare")
    for comparison in comparisons:
        _suite(root, comparison)
    cases = list(root.iter("testcase"))
    _count(root, cases)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(root: ET.Element, comparison: Comparison) -> None:
    suite = ET.SubElement(root, "testsuite", name=_text(comparison.recording))
    if comparison.compared_at is not None:
        suite.set("timestamp", comparison.compared_at.strftime("%Y-%m-%dT%H:%M:%S"))
    suite.set("time", f"{wall_s(comparison.candidate) or 0:.3f}")
    for check in drawer(comparison).checks:
        _case(suite, comparison.recording, check)
    if not comparison.checks:
        case = _named(suite, comparison.recording, "completion")
        ET.SubElement(case, "skipped", message="nothing was compared")
    _count(suite, list(suite))


def _case(suite: ET.Element, recording: str, check: CheckLine) -> None:
    case = _named(suite, recording, check.name)
    element = _ELEMENT.get(check.state)
    if element is not None:
        said = f"{check.delta} against {check.limit} by rule {check.rule}"
        found = ET.SubElement(case, element, message=_text(said), type=_text(check.state))
        found.text = _text("\n".join((*check.remarks, check.traceback)).strip())
    elif check.state == Verdict.WAIVED.value:
        ET.SubElement(case, "system-out").text = _text("\n".join(check.remarks))


def _named(suite: ET.Element, recording: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_text(recording), name=_text(name))


def _count(element: ET.Element, cases: list[ET.Element]) -> None:
    element.set("tests", str(len(cases)))
    for plural, single in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(plural, str(sum(case.find(single) is not None for case in cases)))


def _text(text: str) -> str:
    """Text that XML can hold: what it cannot is written out."""
    lines = (clipped(line) for line in text.split("\n"))
    return _REJECTED.sub(lambda found: f"\\u{ord(found.group()):04x}", "\n".join(lines))
