"""Which gates there are, with margins, strata and limits: read strictly, digested, never changed.

The caller passes the text; rules.toml beside this file is the default.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from reflector_migrate.errors import ConfigurationError
from reflector_migrate.judge.gates.eprocess import Design
from reflector_migrate.model.frozen import Frozen

Kind = Literal["exact", "completion", "mean", "ratio", "parity", "catastrophes", "coverage"]
NEEDED: Mapping[tuple[str, Kind], bool] = {
    ("G0", "completion"): True,
    ("G0", "exact"): True,
    ("G1", "mean"): True,
    ("G2", "catastrophes"): True,
    ("coverage", "coverage"): True,
    ("errors", "parity"): True,
    ("latency", "ratio"): False,
    ("cost", "ratio"): False,
    ("primary", "ratio"): False,
}
"""Gates that rules cannot do without: whether one must decide, or may be for report only."""
MEANS = ("mean", "ratio", "parity")
ALL = "all"
"""The stratum that every recording belongs to."""
MIN_CLIP_SDS = 4
PRINTED = "`migrate gate --print-rules` prints the rules that ship"


class _Strict(Frozen):
    """A part of the rules: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")


class GateRule(_Strict):
    """One or more gates of a kind, each on one measure.

    margin, clip, sd and the effects are in percentage points; of a ratio, in per cent.
    night_effect and series_effect are standard deviations measured on legacy-against-legacy
    runs before any candidate data; left out, they are estimated with caution. limit is the
    rate of catastrophes to be excluded, at_least the share to be compared. Each value of the
    facets in `strata` is a gate of its own, with stratum_margin or stratum_limit.
    """

    measures: tuple[str, ...] = Field(min_length=1)
    layer: str
    kind: Kind
    margin: float | None = Field(default=None, gt=0)
    stratum_margin: float | None = Field(default=None, gt=0)
    clip: float | None = Field(default=None, gt=0)
    sd: float | None = Field(default=None, gt=0)
    night_effect: float | None = Field(default=None, ge=0)
    series_effect: float | None = Field(default=None, ge=0)
    limit: float | None = Field(default=None, gt=0, lt=1)
    stratum_limit: float | None = Field(default=None, gt=0, lt=1)
    at_least: float | None = Field(default=None, gt=0, le=1)
    strata: tuple[str, ...] = ()
    require_n: int = Field(default=30, ge=1)
    on_missing: Literal["inconclusive", "fail", "ignore"] = "inconclusive"
    report_only: bool = False

    @model_validator(mode="after")
    def _is_whole(self) -> GateRule:
        """Each kind has the numbers it needs, and bounds wide enough for its spread."""
        needed: dict[str, tuple[str, ...]] = {
            **dict.fromkeys(MEANS, ("margin", "clip", "sd")),
            "catastrophes": ("limit",),
            "coverage": ("at_least",),
        }
        for key in needed.get(self.kind, ()):
            if getattr(self, key) is None:
                raise ValueError(f"a gate of kind {self.kind} needs `{key}`")
        if self.kind in MEANS and self.design.clip < MIN_CLIP_SDS * self.design.sd:
            raise ValueError(f"`clip` must be at least {MIN_CLIP_SDS} sd")
        if self.kind in MEANS and max(self.margins) >= self.design.clip:
            raise ValueError("`margin` and `stratum_margin` must be under `clip`")
        if not self.report_only and any(name.endswith("/*") for name in self.measures):
            raise ValueError("a measure named by a pattern can only be `report_only`")
        return self

    @property
    def design(self) -> Design:
        """Bounds and spread in the unit in which the values are added up."""
        clip, sd = self.clip or 0.0, self.sd or 0.0
        if self.kind == "ratio":
            return Design(math.log1p(clip / 100), sd / 100)
        return Design(clip, sd)

    @property
    def margins(self) -> tuple[float, float]:
        """For all recordings and for one stratum, in the unit of the values."""
        whole = self.margin or 0.0
        stratum = self.stratum_margin or whole
        if self.kind == "ratio":
            return math.log1p(whole / 100), math.log1p(stratum / 100)
        return whole, stratum

    def effect(self, of: Literal["night", "series"]) -> float | None:
        """What a cluster shares, in the unit of the values; None if it was not measured."""
        declared = self.night_effect if of == "night" else self.series_effect
        return declared / 100 if declared is not None and self.kind == "ratio" else declared


class Rules(_Strict):
    """All gates, the strata declared beforehand, and the chance of error of each decision."""

    schema_: Literal["gate-rules/1"] = Field(alias="schema")
    alpha: float = Field(gt=0, le=0.2)
    floor_alpha: float = Field(ge=0)
    strata: Mapping[str, tuple[str, ...]]
    gates: tuple[GateRule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_consistent(self) -> Rules:
        """A measure has one gate of a kind, and every facet named is declared."""
        if self.floor_alpha >= self.alpha:
            raise ValueError("`floor_alpha` is a part of `alpha`: it must be smaller")
        named = [(rule.kind, name) for rule in self.gates for name in rule.measures]
        if twice := [name for kind, name in named if named.count((kind, name)) > 1]:
            raise ValueError(f"two gates of one kind on measure {twice[0]}")
        for rule in self.gates:
            for facet in rule.strata:
                if facet not in self.strata:
                    raise ValueError(f"{rule.measures[0]}: facet {facet} is not in [strata]")
        return self

    def strata_of(self, rule: GateRule) -> tuple[str, ...]:
        """Every declared stratum that the rule looks at alone, as written in a line."""
        return tuple(f"{facet}:{value}" for facet in rule.strata for value in self.strata[facet])

    @property
    def tests(self) -> int:
        """How many processes can fail a build: each one's threshold is multiplied by it."""
        deciding = [rule for rule in self.gates if rule.kind in MEANS and not rule.report_only]
        return sum(len(rule.measures) * (1 + len(self.strata_of(rule))) for rule in deciding)

    @property
    def digest(self) -> str:
        """SHA-256 of what the rules say; comments and order of keys do not change it."""
        said = self.model_dump(mode="json", by_alias=True)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def read_rules(text: str, name: str) -> Rules:
    """The rules in a TOML file called `name`. Raises ConfigurationError with the key at fault."""
    try:
        return Rules.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{name}: {error}", hint="the file must be TOML") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        known = [*GateRule.model_fields, *Rules.model_fields]
        near = difflib.get_close_matches(key.rpartition(".")[2], known, n=1)
        is_unknown = first["type"] == "extra_forbidden" and near
        raise ConfigurationError(
            f"{name}: {key or 'rules'}: {first['msg']}",
            hint=f"did you mean `{near[0]}`?" if is_unknown else PRINTED,
        ) from error
