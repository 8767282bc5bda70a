"""Usage becomes money by the table in force; what is not known is unknown on every door."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from reflector_migrate.cli.main import cli
from reflector_migrate.judge.compare import compare
from reflector_migrate.model import StepRun, Usage
from reflector_migrate.pricing import cost_of, priced
from reflector_migrate.settings import Price
from reports.document import Coverage, Night
from reports.page import render_page
from tests.comparing import observation

FULL = Price(
    since="2026-01-01",
    gpu_second=306,
    llm_tokens_in_million=70_000,
    llm_tokens_out_million=140_000,
    s3_gib=90_000,
    s3_requests_million=400_000,
)


USED = Usage(
    gpu_seconds=10, llm_tokens_in=1_000_000, llm_tokens_out=500_000, s3_bytes=1 << 29,
    s3_requests=50, external_calls=4,
)  # fmt: skip


CACHED = Usage(cache_hits=3, saved_gpu_seconds=2.5, saved_llm_tokens=70)


MICRODOLLARS = 3060 + 70_000 + 70_000 + 45_000 + 20


@pytest.mark.parametrize(
    ("used", "missing", "total"),
    [
        pytest.param(USED, None, MICRODOLLARS, id="every kind has its price"),
        pytest.param(USED, "gpu_second", None, id="no price for the GPU"),
        pytest.param(USED, "llm_tokens_in_million", None, id="no price for what is asked"),
        pytest.param(USED, "llm_tokens_out_million", None, id="no price for what is answered"),
        pytest.param(USED, "s3_gib", None, id="no price for traffic"),
        pytest.param(USED, "s3_requests_million", None, id="no price for requests"),
        pytest.param(Usage(gpu_seconds=1), "s3_gib", 306, id="no price needed for what is unused"),
        pytest.param(Usage(), "gpu_second", 0, id="nothing used costs nothing"),
        pytest.param(Usage(cache_hits=3), None, 0, id="the cache is free"),
    ],
)
def test_a_missing_price_is_unknown_only_where_it_is_needed(used, missing, total):
    """Never zero, never a sum of the rest."""
    price = FULL.model_copy(update={missing: None}) if missing else FULL
    assert cost_of(used, price).total == total


def observed(used, *, day=1):
    """A side that used this, on a day of February 2026."""
    at = datetime(2026, 2, day, 12, tzinfo=UTC)
    step = StepRun(name="transcribe_track", usage=used, started=at, ended=at)
    return observation(steps=[step]).model_copy(update={"started": at})


@pytest.mark.parametrize(
    ("prices", "used", "told"),
    [
        pytest.param((FULL,), USED, MICRODOLLARS, id="priced"),
        pytest.param((), USED, None, id="without a table nothing is known"),
        pytest.param((FULL.model_copy(update={"since": "2026-02-02"}),), USED, None,
                     id="before the table begins nothing is known"),
        pytest.param((FULL,), Usage(), None, id="where nobody counted nothing is known"),
    ],
)  # fmt: skip
def test_each_side_of_a_comparison_is_priced(prices, used, told):
    """Side, the check that `compare` prints, and its JSON say the same."""
    both = observed(used), observed(used)
    found = priced(compare(*both), prices)
    assert (found.primary.cost_microdollars, found.candidate.cost_microdollars) == (told, told)
    (check,) = [check for check in found.checks if check.name == "cost"]
    money = "price unknown" if told is None else f"${told / 1e6:.4f}"
    assert check.measure.reference_text.startswith(money)
    assert check.measure.hypothesis_text.startswith(money)
    assert found.verdict is compare(*both).verdict


PART = Usage(gpu_seconds=1, is_partial=True)


LOST = {"status": "timed_out", "started": datetime(2026, 2, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("changes", "is_known"),
    [
        pytest.param({}, False, id="the server gave it up"),
        pytest.param({"status": "failed"}, False, id="its process died"),
        pytest.param({"status": "cancelled"}, False, id="cut short by the workflow's end"),
        pytest.param({"status": "failed", "usage": CACHED}, True, id="failed and told"),
        pytest.param(
            {"status": "failed", "usage": PART}, False, id="its process died, having told a part"
        ),
        pytest.param({"status": "completed", "usage": PART}, False, id="drained, ended elsewhere"),
        pytest.param({"status": "cancelled", "started": None}, True, id="never begun"),
        pytest.param({"status": "completed"}, True, id="used nothing"),
    ],
)
def test_an_attempt_with_unreported_use_has_no_price(changes, is_known):
    """Its calls may have been made and paid: the sum is unknown, not that of the others."""
    side = observed(USED)
    lost = StepRun(name="transcribe_track", **{**LOST, **changes})
    side = side.model_copy(update={"steps": (*side.steps, lost)})
    found = priced(compare(observed(USED), side), (FULL,))
    assert found.primary.cost_microdollars == MICRODOLLARS
    assert found.candidate.cost_microdollars == (MICRODOLLARS if is_known else None)
    known = MICRODOLLARS + (306 if lost.usage == PART else 0)
    (check,) = [check for check in found.checks if check.name == "cost"]
    about = "" if is_known else "at least "
    assert check.measure.hypothesis_text.startswith(f"{about}${known / 1e6:.4f}")


def test_a_price_holds_from_its_day_on():
    """Two sides that ran on either side of a change are priced by their own days."""
    dearer = FULL.model_copy(update={"since": "2026-02-10", "gpu_second": 1000})
    gpu = Usage(gpu_seconds=1)
    found = priced(compare(observed(gpu, day=9), observed(gpu, day=10)), (dearer, FULL))
    assert (found.primary.cost_microdollars, found.candidate.cost_microdollars) == (306, 1000)


def page_of(comparison):
    """The nightly page of one comparison."""
    return render_page(Night("2026-02-01", "x", Coverage(1, 1), (comparison,)))


def test_the_nightly_page_shows_what_it_cost():
    """Bill and drawer have the sum in dollars; an unpriced night says unknown."""
    both = observed(USED), observed(USED)
    assert f"${MICRODOLLARS / 1e6:.4f}" in page_of(priced(compare(*both), (FULL,)))
    assert "No comparison has a price on both sides" in page_of(priced(compare(*both), ()))


def config_in(folder):
    """The options that lead to a configuration with prices, and a store of its own."""
    told = FULL.model_dump(exclude_none=True).items()
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in told)
    text = f'[store]\nurl = "sqlite:///{folder}/store.db"\n[[prices]]\n{table}\n'
    (folder / "migrate.toml").write_text(text)
    return ["--config", f"{folder}/migrate.toml"]


def test_the_command_prices_two_files(tmp_path):
    """No server, no sandbox: files and a table are enough."""
    for name in "ab":
        (tmp_path / f"{name}.json").write_text(observed(USED).model_dump_json(by_alias=True))
    files = ["--reference", f"{tmp_path}/a.json", "--candidate", f"{tmp_path}/b.json"]
    config = config_in(tmp_path)
    result = CliRunner().invoke(cli, [*config, "compare", *files, "--json", "--exit-zero"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)["comparison"]
    assert told["primary"]["cost_microdollars"] == MICRODOLLARS
    shown = CliRunner().invoke(cli, [*config, "compare", *files, "--exit-zero"])
    assert f"${MICRODOLLARS / 1e6:.4f}" in shown.output


def test_each_call_of_the_language_model_is_kept():
    """Sums add, calls line up."""
    one, two = (Usage(llm_calls=1, llm_tokens_in=n, llm_tokens_per_call=((n, 1),)) for n in (5, 7))
    assert (one + two).llm_tokens_per_call == ((5, 1), (7, 1))
    assert (one + two).llm_tokens_in == 12
