"""The documentation's price table is one that the settings take and the reckoning uses."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from reflector_migrate.model import Usage
from reflector_migrate.pricing import cost_of, price_on
from reflector_migrate.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "costs.md"
HOUR = Usage(gpu_seconds=100, llm_tokens_in=200_000, llm_tokens_out=50_000, s3_bytes=1 << 30)


@pytest.mark.parametrize(
    ("day", "microdollars"),
    [
        pytest.param(date(2025, 12, 31), None, id="before the first entry nothing is known"),
        pytest.param(date(2026, 3, 1), 30_600 + 14_000 + 7_000, id="the first contract"),
        pytest.param(date(2026, 8, 1), 22_200 + 14_000 + 7_000 + 90_000, id="the second"),
    ],
)
def test_the_example_prices_a_meeting(day, microdollars):
    """The entry in force on the day counts, each kind of usage at its price."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    settings = Settings.model_validate(tomllib.loads("\n".join(blocks)))
    assert cost_of(HOUR, price_on(settings.prices, day)).total == microdollars
    assert settings.budgets == Settings().budgets
