"""`migrate compare` on files of any origin: what is tolerated, what refused and how."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from reflector_migrate.cli.main import main
from reflector_migrate.cli.observations import read_observation
from reflector_migrate.errors import InputError
from tests.comparing import observation


def _document(**changes: object) -> dict[str, object]:
    body: dict[str, object] = json.loads(observation().model_dump_json(by_alias=True))
    return body | changes


class Answer(NamedTuple):
    """What the command said and how it ended."""

    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Answer]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """`migrate` in this process, with the door's own exit codes."""

    def answer(*argv: str) -> Answer:
        with pytest.raises(SystemExit) as ended:
            main(list(argv))
        return Answer(int(str(ended.value.code)), *capsys.readouterr())

    return answer


def _compare(run: Run, tmp_path: Path, reference: str, candidate: str, *more: str) -> Answer:
    for name, text in (("a", reference), ("b", candidate)):
        (tmp_path / f"{name}.json").write_bytes(text.encode("utf-8"))
    files = ["--reference", f"{tmp_path}/a.json", "--candidate", f"{tmp_path}/b.json"]
    return run("compare", *files, "--json", *more)


def test_unknown_fields_are_tolerated_at_every_depth(run: Run, tmp_path: Path) -> None:
    """A newer writer's fields change nothing."""
    body = _document()
    newer = json.loads(json.dumps(body))
    newer["weather"] = newer["outputs"]["weather"] = newer["outputs"]["words"][0]["weather"] = "fog"
    found = _compare(run, tmp_path, json.dumps(body), json.dumps(newer))
    assert (found.exit_code, json.loads(found.stdout)["verdict"]) == (0, "MATCHED")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("{}", ["recording", "role", "engine", "status"], id="nothing in it"),
        pytest.param(json.dumps(_document(schema="observation/9")), ["schema", "observation/1"],
                     id="another version"),
        pytest.param(json.dumps(_document(outputs={"words": [{"text": "a", "start": 0}]})),
                     ["outputs.words.0.end"], id="a word without its end"),
        pytest.param(json.dumps(_document(outputs={"words": [{"text": "a", "start": float("nan"),
                                                               "end": 1}]})),
                     ["outputs.words.0.start"], id="NaN in a number"),
        pytest.param(json.dumps(_document(outputs={"duration_ms": "@"})).replace('"@"', "1e999"),
                     ["outputs.duration_ms"], id="infinity by overflow"),
        pytest.param(json.dumps(_document(outputs={"row": {"a": [{"b": float("nan")}]}})),
                     ["outputs.row.a.0.b", "NaN"], id="NaN in a free field"),
        pytest.param(json.dumps(_document(steps=[{"name": "x", "usage": {"llm_calls": 10**400}}])),
                     ["steps.0.usage.llm_calls", "double"], id="more than a number holds"),
        pytest.param("", ["Invalid JSON"], id="an empty file"),
        pytest.param("[]", ["document"], id="not an object"),
        pytest.param('{"a": ' * 5000, ["Invalid JSON"], id="endless nesting"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_an_observation_is_named_with_its_fields(
    run: Run, tmp_path: Path, text: str, named: list[str]
) -> None:
    """Exit 2, the file, and every field that is missing or wrong."""
    found = _compare(run, tmp_path, json.dumps(_document()), text)
    assert found.exit_code == 2
    assert all(word in found.stderr for word in ["b.json", *named])


def test_a_file_that_is_not_there_is_named(run: Run) -> None:
    """Exit 2 for a usage error, not 4 for a bug."""
    found = run("compare", "--reference", "no.json", "--candidate", "no.json")
    assert (found.exit_code, "no.json" in found.stderr) == (2, True)


HOSTILE = ["<script>", "\x1b[31m", "\x00", "\u202eevil", "x" * 100_000, "%s{0}", "\ud800", "\udfff"]


def test_hostile_text_is_compared_like_any(run: Run, tmp_path: Path) -> None:
    """Controls, right-to-left marks, an endless word, lone surrogates: no crash, no match."""
    words = [{"text": f"{t} ", "start": n, "end": n + 0.5} for n, t in enumerate(HOSTILE)]
    mine, theirs = (json.dumps(_document(outputs={"words": side})) for side in (words, words[:-1]))
    found = _compare(run, tmp_path, mine, theirs)
    assert found.exit_code in {1, 3}, found.stderr
    checks = {c["name"]: c for c in json.loads(found.stdout)["comparison"]["checks"]}
    assert checks["words_raw"]["measure"]["counts"]["deletions"] == 1
    assert not [name for name, check in checks.items() if check["verdict"] == "ERRORED"]
    assert any("not Unicode" in note for note in json.loads(found.stdout)["comparison"]["notes"])
    same = _compare(run, tmp_path, mine, mine)
    found = json.loads(same.stdout)["comparison"]["checks"]
    assert {c["verdict"] for c in found if c["name"] != "completion"} == {"MATCHED"}


def test_a_secondary_gives_the_noise_floor(run: Run, tmp_path: Path) -> None:
    """The third file is the primary's engine run a second time."""
    body = json.dumps(_document())
    (tmp_path / "c.json").write_text(body, encoding="utf-8")
    found = _compare(run, tmp_path, body, body, "--secondary", f"{tmp_path}/c.json")
    assert found.exit_code == 0
    assert json.loads(found.stdout)["comparison"]["secondary"] is not None


@pytest.mark.parametrize(
    ("data", "named"),
    [
        pytest.param(gzip.compress(b"{}"), "gzip", id="gzip"),
        pytest.param("{}".encode("utf-16"), "UTF-16", id="UTF-16"),
        pytest.param(f'{json.dumps(_document())[:-1]}, "recording": "b"}}'.encode(),
                     "'recording' stands twice", id="a key twice"),
        pytest.param(json.dumps(_document(outputs={"words": [{"text": "a", "start": "0",
                                                               "end": 1}]})).encode(),
                     "outputs.words.0.start: text", id="text for a number"),
    ],
)  # fmt: skip
def test_other_forms_are_refused_by_name(tmp_path: Path, data: bytes, named: str) -> None:
    """Said before anything is compared."""
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(InputError, match=named):
        read_observation(tmp_path / "a.json")


def test_a_pipe_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    """The one has no writer, and the other never ends."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="not a regular file"):
            read_observation(path)


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    """What editors of some systems put in front of UTF-8."""
    (tmp_path / "a.json").write_text(json.dumps(_document()), encoding="utf-8-sig")
    assert read_observation(tmp_path / "a.json").schema_ == "observation/1"


def test_a_file_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is parsed."""
    (tmp_path / "a.json").write_text(json.dumps(_document()), encoding="utf-8")
    monkeypatch.setattr("reflector_migrate.cli.observations.MAX_BYTES", 10)
    with pytest.raises(InputError, match="over 0 MB"):
        read_observation(tmp_path / "a.json")
