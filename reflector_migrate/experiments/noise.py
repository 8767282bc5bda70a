"""Noise that a person switches on: recogniser and language model then never err twice alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reflector_migrate.errors import ConfigurationError

if TYPE_CHECKING:
    from reflector_migrate.harness import Harness
    from reflector_migrate.settings import Settings

SERVICES = ("recogniser", "llm")
WER, RATE = 0.02, 0.3


@dataclass(frozen=True, slots=True)
class Noise:
    """`wer`: share of words misheard; `rate`: chance of each possible change of wording.

    `breaks_facts`: the model alters figures, dates and negations as well.
    """

    seed: int
    wer: float = WER
    rate: float = RATE
    breaks_facts: bool = False


def set_noise(harness: Harness, noise: Noise | None) -> None:
    """Switch it on or, with None, off; no answer made before is served from a cache after."""
    from reflector_migrate.sandbox.standins.client import StandinControl

    with StandinControl(_control(harness.settings)) as control:
        control.clear_noise()
        if noise is not None:
            control.set_noise("recogniser", wer=noise.wer, seed=noise.seed)
            wording = {"rate": noise.rate, "seed": noise.seed, "facts": noise.breaks_facts}
            control.set_noise("llm", **wording)
    harness.cache.clear()


def noises_in(settings: Settings) -> dict[str, str]:
    """The noise of each service, or `off`."""
    from reflector_migrate.sandbox.standins.client import StandinControl

    with StandinControl(_control(settings)) as control:
        known = control.noises()
    told = {name: known.get(name) or {} for name in SERVICES}
    return {
        name: ", ".join(f"{key} {value}" for key, value in noise.items()) or "off"
        for name, noise in told.items()
    }


def _control(settings: Settings) -> str:
    if settings.sandbox.control_url is None:
        raise ConfigurationError("only a sandbox has noise to switch", hint="migrate sandbox up")
    return settings.sandbox.control_url
