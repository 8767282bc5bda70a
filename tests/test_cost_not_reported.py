"""What a language model does not say that it used is unknown, and never zero."""

import httpx
import pytest

from reflector_migrate.model import StepRun
from reflector_migrate.pipeline.bridge.bridge import usage_of
from reflector_migrate.pipeline.meter import UsageMeter
from reflector_migrate.pipeline.services.http import Caller
from reflector_migrate.pipeline.services.llm import LanguageModel, Request
from reflector_migrate.pricing import is_counted
from reflector_migrate.settings import Settings

SERVICES = {"llm_url": "http://model.test/v1", "llm_model": "m"}
SETTINGS = Settings.model_validate({"services": SERVICES})


@pytest.mark.parametrize(
    ("said", "tokens", "is_partial"),
    [
        pytest.param({"prompt_tokens": 7, "completion_tokens": 0}, (7, 0), False, id="both"),
        pytest.param({"prompt_tokens": 7}, (7, 0), True, id="one of them"),
        pytest.param({"prompt_tokens": "7", "completion_tokens": -1}, (0, 0), True, id="no counts"),
        pytest.param(None, (0, 0), True, id="nothing"),
    ],
)
def test_tokens_that_are_not_reported_are_unknown(said, tokens, is_partial):
    """The step's cost is then a lower bound."""
    choices = [{"message": {"content": "yes"}}]
    answer = {"choices": choices, **({"usage": said} if said is not None else {})}
    meter = UsageMeter()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    with httpx.Client(transport=transport) as http:
        model = LanguageModel(Caller("language model", http, meter, 1.0), SETTINGS.services, "s")
        model.complete(Request("test", ({"role": "user", "content": "?"},), 0.0, 10))
    used = meter.total
    assert (used.llm_calls, used.llm_tokens_in, used.llm_tokens_out) == (1, *tokens)
    assert used.is_partial is is_partial
    assert is_counted(StepRun(name="generate_title", usage=used)) is not is_partial


@pytest.mark.parametrize(
    ("facts", "is_partial"),
    [
        pytest.param({"status": 200, "tokens_in": 3, "tokens_out": 4}, False, id="reported"),
        pytest.param({"status": 200}, True, id="not reported"),
        pytest.param({"status": 503}, False, id="not answered"),
    ],
)
def test_a_call_that_was_seen_without_its_tokens(facts, is_partial):
    """As the plugin sees legacy's calls, and the bridge those of Reflector's own code."""
    assert usage_of({"service": "llm", **facts}).is_partial is is_partial
