"""Canonical JSON against Python's own encoder with sorted keys, whose digests JavaScript lacks."""

from __future__ import annotations

import json
import random

from synthetic import meeting, race, transcript, words_of

from reflector_migrate.store.canonical_json import canonical_json


def main() -> None:
    """An hour's observation, and one of its topics, without floats that the two write apart."""
    rng = random.Random(11)
    observation = meeting(rng, words_of(transcript(rng, 9_000), 6), 6, 30)
    whole = json.loads(json.dumps(observation.model_dump(mode="json")), parse_float=str)
    topic = whole["outputs"]["topics"][0]
    for name, value, times in (("9,000 words, 6 tracks", whole, 1), ("one topic", topic, 50)):
        race(
            f"canonical JSON, {name}",
            lambda value=value: canonical_json(value),
            lambda value=value: json.dumps(
                value, sort_keys=True, separators=(",", ":"), ensure_ascii=False
            ),
            rounds=5,
            reach=20,
            times=times,
        )


if __name__ == "__main__":
    main()
