"""Entries of the audit log: each says who decided what, on which evidence and by which rules."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from typing import Any

from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.shadow.gate_rules import rules_in_force
from reflector_migrate.store.canonical_json import sha256_of

UNREADABLE = "unreadable"
"""In place of the rules' digest where the file of rules cannot be read: no switch waits for it."""


def record(
    harness: Harness,
    kind: str,
    body: Mapping[str, Any],
    *,
    who: str,
    evidence: Any,
    rules: str | None = None,
) -> str:
    """Add an entry to the audit log, which dates it; returns the entry's digest.

    `evidence` is what the decision rests on: the entry has the SHA-256 of its canonical JSON, or
    a digest as it is. `rules` is the digest of the gates' rules, by default of those in force.
    """
    said = {
        "who": who,
        "evidence": evidence if _is_digest(evidence) else sha256_of(evidence),
        "rules": rules if rules is not None else _rules_in_force(harness),
    }
    return harness.audit.append(kind, {**body, **said})


def this_user() -> str:
    """The name of the user who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def _rules_in_force(harness: Harness) -> str:
    try:
        return rules_in_force(harness.settings).digest
    except MigrateError:
        return UNREADABLE


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
