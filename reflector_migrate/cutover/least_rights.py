"""The least that we need: roles and databases on PostgreSQL, a policy on S3. Printed, or made."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from reflector_migrate.cutover.rights import READ
from reflector_migrate.settings import Settings

CONNECT_S = 5


def sql(settings: Settings, *, is_shown: bool = True) -> tuple[str, ...]:
    """The statements, in order; without passwords where they are shown to a person.

    The last ones belong into Reflector's own database.
    """
    return tuple(_sql(settings, is_shown=is_shown))


def _sql(settings: Settings, *, is_shown: bool) -> Iterator[str]:
    theirs = make_url(settings.reflector.database_url or "")
    ours = [make_url(u) for u in (settings.store_url, settings.candidate.database_url or "") if u]
    for role in dict.fromkeys((theirs, *ours)):
        if role.username and role.username not in _seen(ours, role, theirs):
            yield f"CREATE ROLE {_name(role.username)} LOGIN PASSWORD {_password(role, is_shown)}"
    for url in ours:
        if url.get_backend_name() == "postgresql":
            yield f"CREATE DATABASE {_name(url.database)} OWNER {_name(url.username)}"
    reader = _name(theirs.username)
    yield f"GRANT CONNECT ON DATABASE {_name(theirs.database)} TO {reader}"
    yield f"GRANT USAGE ON SCHEMA public TO {reader}"
    yield f"GRANT SELECT ON {', '.join(READ)} TO {reader}"


def _seen(ours: list[URL], role: URL, theirs: URL) -> set[str | None]:
    """Roles that were named before this URL."""
    before = [theirs, *ours]
    return {url.username for url in before[: before.index(role)]}


def _password(url: URL, is_shown: bool) -> str:
    return "'…'" if is_shown else "'" + str(url.password).replace("'", "''") + "'"


def _name(name: str | None) -> str:
    return '"' + str(name).replace('"', '""') + '"'


def make(settings: Settings, admin_url: str) -> tuple[str, ...]:
    """Make what is missing by this login; what it may not, with the server's own reason.

    What exists already stays; our role, if it exists, gets the password in force.
    """
    engine = create_engine(
        admin_url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": CONNECT_S}
    )
    problems = []
    try:
        with engine.connect() as connection:
            for statement in sql(settings, is_shown=False):
                try:
                    connection.exec_driver_sql(statement)
                except DBAPIError as error:
                    state = getattr(error.orig, "sqlstate", None)
                    if state == "42710":  # the role is there
                        connection.exec_driver_sql(statement.replace("CREATE", "ALTER", 1))
                    elif state != "42P04":  # the database is there
                        problems.append(f"{_said(error)}: {_harmless(statement)}")
    except DBAPIError as error:
        problems.append(_said(error))
    finally:
        engine.dispose()
    return tuple(problems)


def _harmless(statement: str) -> str:
    return statement.partition(" PASSWORD ")[0]


def _said(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]


def s3_policy(settings: Settings) -> str:
    """An IAM policy: read Reflector's two buckets, write the candidate's two."""
    theirs = settings.reflector.tracks_bucket, settings.reflector.media_bucket
    ours = settings.candidate.tracks_bucket, settings.candidate.media_bucket
    write = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    statements = [
        _allow(["s3:ListBucket", "s3:GetBucketLocation"], _buckets((*theirs, *ours), "")),
        _allow(["s3:GetObject"], _buckets(theirs, "/*")),
        _allow(write, _buckets(ours, "/*")),
        _allow(["s3:ListAllMyBuckets"], ["*"]),
        _allow(["s3:CreateBucket"], _buckets(ours, "")),
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)


def _allow(actions: list[str], resources: list[str]) -> dict[str, object]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _buckets(names: tuple[str, ...], tail: str) -> list[str]:
    return [f"arn:aws:s3:::{name.partition('/')[0]}{tail}" for name in dict.fromkeys(names)]
