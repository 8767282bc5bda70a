"""`migrate schema`: the JSON Schema of what others may rely on."""

from __future__ import annotations

import click

from reflector_migrate.cli.common import echo_json

NAMES = (
    "observation", "comparison", "evidence", "gate", "explain", "defects", "step-inputs",
    "step-outputs",
)  # fmt: skip


@click.command()
@click.argument("name", type=click.Choice(NAMES))
def schema(name: str) -> None:
    """Print the JSON Schema of a contract.

    \b
    Examples:
      migrate schema observation
      migrate schema step-outputs > outputs.json
    """
    from reflector_migrate.experiments.defect_proofs import DefectsRun
    from reflector_migrate.judge.explanation import Explanation
    from reflector_migrate.judge.gates.answers import GateRun
    from reflector_migrate.judge.gates.evidence import EvidenceLine
    from reflector_migrate.model import Comparison, Frozen, Observation
    from reflector_migrate.pipeline.contracts import CONTRACTS

    documents: dict[str, type[Frozen]] = {
        "observation": Observation,
        "comparison": Comparison,
        "evidence": EvidenceLine,
        "gate": GateRun,
        "explain": Explanation,
        "defects": DefectsRun,
    }
    if name in documents:
        echo_json(documents[name].model_json_schema(by_alias=True))
    else:
        models = {step: getattr(c, name[5:-1]) for step, c in CONTRACTS.items()}
        echo_json({step: model.model_json_schema() for step, model in models.items()})
