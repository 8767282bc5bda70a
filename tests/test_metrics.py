"""Metrics, alert rules and dashboard speak of the same things."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from reflector_migrate.cli.metrics import metrics_of
from reflector_migrate.harness import Harness
from reflector_migrate.settings import Settings
from reflector_migrate.store.runs import Dispatches
from tests.new_stores import new_store

FOLDER = Path(__file__).parents[1] / "docker" / "prometheus"
NAME = re.compile(r"\bshadow_\w+")


@pytest.fixture
def families(tmp_path):
    """What is exported of a store with two announcements and one page, by name."""
    settings = Settings.model_validate(
        {"state_dir": tmp_path, "store": {"url": f"sqlite:///{tmp_path / 's.db'}"}}
    )
    new_store(settings.store_url)
    dispatches = Dispatches(settings.store_url)
    dispatches.add("rec-secret", "started")
    dispatches.add("rec-2", "skipped", reason="over budget: 3.14 of 3")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "shadow-2026-11-28.html").write_text("")
    text = metrics_of(Harness.of(settings))
    assert "rec-secret" not in text
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_types_and_labels(families):
    """Counters count, gauges show; a reason is a label without its figures."""
    kinds = {name: family.type for name, family in families.items()}
    assert kinds["shadow_pairs"] == kinds["shadow_dispatch"] == "counter"
    assert kinds["shadow_in_flight"] == "gauge"
    assert kinds["shadow_report_last_success_timestamp_seconds"] == "gauge"
    outcomes = {s.labels["outcome"]: s.value for s in families["shadow_dispatch"].samples}
    assert outcomes == {"started": 1, "skipped": 1}
    (skipped,) = families["shadow_comparisons_skipped"].samples
    assert skipped.labels == {"reason": "over budget"}


def test_alerts_and_dashboard_ask_for_what_is_exported(families):
    """Each expression's metric exists under the name that Prometheus gives it."""
    known = {
        f"{name}_total" if family.type == "counter" else name for name, family in families.items()
    }
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    rules = group["rules"]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    asked = [rule["expr"] for rule in rules] + [p["targets"][0]["expr"] for p in panels]
    assert all(NAME.findall(expr) for expr in asked)
    assert {name for expr in asked for name in NAME.findall(expr)} <= known
    assert all({"summary", "description"} == set(rule["annotations"]) for rule in rules)
