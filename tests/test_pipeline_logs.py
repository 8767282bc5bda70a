"""What a whole run of the steps logs: no secret, no presigned address, nothing that was said."""

from __future__ import annotations

import logging
import re

import pytest

from reflector_migrate.conductor.runtime.run import log_to_stderr
from tests.pipeline_world import make_world

KEYS = re.compile(r"Signature=|AWSAccessKeyId|X-Amz-|Bearer |Basic [A-Za-z0-9]|v1=[0-9a-f]{16}")
SECRETS = ("gpu-key", "llm-key", "daily-key", "zulip-key")


@pytest.mark.heavy
def test_no_log_of_a_run_has_secrets_or_words(s3_url, control, tmp_path, caplog):
    """Of all loggers, libraries included, as verbose as a worker's process has them."""
    log_to_stderr()
    caplog.set_level(logging.INFO)
    world = make_world(tmp_path, s3_url, control, is_brief=True)
    world.whole()
    row = world.row
    words = [word["text"].strip() for topic in row.topics for word in topic["words"]]
    said = {" ".join(words[n : n + 4]) for n in range(len(words) - 4)}
    said |= {row.title, row.short_summary, *(topic["summary"] for topic in row.topics)}
    ours = [record for record in caplog.records if record.name != "werkzeug"]  # the S3 of the test
    text = "\n".join(logging.Formatter().format(record) for record in ours)
    assert len(said) > 20
    assert KEYS.search(text) is None
    assert not [one for one in (*said, *SECRETS) if one in text]
