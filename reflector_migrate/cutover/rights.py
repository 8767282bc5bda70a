"""Whether each server lets us do what we need: tried with the settings in force.

Nothing is written outside our own places. Each answer says what is missing; `MENDS` names the
setting or command that mends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from reflector_migrate.cutover.items import Answer, failed, judged, passed, pending
from reflector_migrate.errors import MigrateError
from reflector_migrate.harness import Harness
from reflector_migrate.model.primary_task import PIPELINE
from reflector_migrate.pipeline.rows import tables
from reflector_migrate.settings import without_user

TIMEOUT_S = 10.0
NEWEST = 5
"""So many transcripts and runs are looked at for what a newer Reflector has."""

READ = ("transcript", "recording", "meeting", "meeting_consent", "room", "calendar_event")
"""Reflector's tables that we read."""

PROBE = "reflector-migrate-probe"
"""An object that is put into the candidate's own buckets, and deleted at once."""

MENDS: Mapping[str, str] = {
    "reflector database": "set `reflector.database_url`, as postgresql+psycopg://…; its role needs"
    " SELECT on Reflector's tables: migrate attach rights prints the commands",
    "reflector s3": "set `s3.endpoint_url`, its keys, `reflector.tracks_bucket` and"
    " `reflector.media_bucket`; the keys need s3:GetObject and s3:ListBucket there",
    "candidate database": "set `candidate.database_url`, then: migrate register --with-store; its"
    " role needs CREATE on the database",
    "candidate s3": "set `candidate.tracks_bucket` and `candidate.media_bucket`, then: migrate"
    " register --with-store; the keys need to read, write and delete there",
    "candidate bus": "is the server up where `candidate.bus_url` says?",
    "recogniser": "set `services.transcript_url` and `services.transcript_api_key`",
    "language model": "set `services.llm_url`, `services.llm_api_key` and `services.llm_model`",
    "daily": "set `services.daily_api_key`; `services.daily_url` is Daily's own by default",
}

Check = Callable[[Harness], Answer]


def reflector_database(harness: Harness) -> Answer:
    """A row of each table that we read, by the columns that we use."""
    url = harness.settings.reflector.database_url
    if not url:
        return failed("not set", "readable")
    problem = _database(url, _unreadable)
    return problem or passed("readable", "readable", len(READ))


def candidate_database(harness: Harness) -> Answer:
    """Our mark stands in it, and its login may make the schema of a run."""
    url = harness.settings.candidate.database_url
    if not url:
        return failed("not set", "ours")
    return _database(url, _not_ours) or passed("ours", "ours")


def reflector_s3(harness: Harness) -> Answer:
    """Both of its buckets can be listed, and an object in them read."""
    theirs = harness.settings.reflector
    return _s3(harness, (theirs.tracks_bucket, theirs.media_bucket), _read_one, "readable")


def candidate_s3(harness: Harness) -> Answer:
    """In both of our buckets an object can be put, read and deleted."""
    ours = harness.settings.candidate
    return _s3(harness, (ours.tracks_bucket, ours.media_bucket), _write_one, "writable")


def candidate_bus(harness: Harness) -> Answer:
    """The Redis on which the candidate publishes answers."""
    import redis

    url = harness.settings.candidate.bus_url
    try:
        harness.redis(url).ping()
    except (redis.RedisError, OSError) as error:
        return failed("unreachable", "answers", why=f"{without_user(url)}: {type(error).__name__}")
    return passed("answers", "answers")


def recogniser(harness: Harness) -> Answer:
    """It refuses an empty question as one who understood it: nothing is recognised."""
    services = harness.settings.services
    if not services.transcript_url:
        return failed("not set", "answers")
    url = f"{services.transcript_url.rstrip('/')}/v1/audio/transcriptions-from-url"
    return _http("POST", url, _bearer(services.transcript_api_key), (200, 400, 415, 422), json={})


def language_model(harness: Harness) -> Answer:
    """It lists the model that is asked for; a server without a list refuses an empty question."""
    services = harness.settings.services
    if not services.llm_url:
        return failed("not set", "answers")
    base, key = services.llm_url.rstrip("/"), _bearer(services.llm_api_key)
    found: list[str] = []

    def listed(answer: httpx.Response) -> str:
        try:
            found.extend(str(one["id"]) for one in answer.json()["data"])
        except (ValueError, KeyError, TypeError):
            return ""
        is_there = not found or services.llm_model in found
        return "" if is_there else f"no model {services.llm_model}; it lists {', '.join(found[:4])}"

    answer = _http("GET", f"{base}/models", key, (200, 404, 405), then=listed)
    if found or answer.state.value != "pass":
        return answer
    asked = {"model": services.llm_model, "messages": []}
    return _http("POST", f"{base}/chat/completions", key, (200, 400, 422), json=asked)


def daily(harness: Harness) -> Answer:
    """One recording of the list can be read."""
    services = harness.settings.services
    url = f"{services.daily_url.rstrip('/')}/recordings"
    return _http("GET", url, _bearer(services.daily_api_key), (200,), params={"limit": 1})


CHECKS: Mapping[str, Check] = {
    "reflector database": reflector_database,
    "reflector s3": reflector_s3,
    "candidate database": candidate_database,
    "candidate s3": candidate_s3,
    "candidate bus": candidate_bus,
    "recogniser": recogniser,
    "language model": language_model,
    "daily": daily,
}


def newer_than_known(harness: Harness) -> Answer:
    """Columns, events and classes of Reflector's that no comparison reads; named, and no fault.

    Events of the newest transcripts, and classes that the plugin named with the newest runs.
    """
    from reflector_migrate.pipeline.rows import Rows
    from reflector_migrate.shadow.observe.newer import newer_parts

    url = harness.settings.reflector.database_url
    if not url:
        return pending("reflector.database_url is not set")
    try:
        spans = harness.spans.latest(PIPELINE, NEWEST)
    except MigrateError:  # the check `store` says what is wrong with it
        spans = ()
    found = tuple(newer_parts(url, Rows.at(url).newest_events(NEWEST), spans))
    return passed(f"{len(found)} kinds not compared" if found else "nothing", why="; ".join(found))


def _database(url: str, look: Callable[[Any], str]) -> Answer | None:
    """Why it will not do; None where it does."""
    from reflector_migrate.store.base import engine_for

    try:
        with engine_for(url).connect() as connection:
            why = look(connection)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        said = f"{error}: the driver that we have is psycopg: postgresql+psycopg://…"
        return failed("no driver", why=said)
    except DBAPIError as error:
        where = without_user(str(error.orig).strip().splitlines()[0])
        return failed("refused", why=where)
    return failed("not as needed", why=why) if why else None


def _unreadable(connection: Any) -> str:
    known = inspect(connection)
    for name in READ:
        if not known.has_table(name):
            return f"table {name} is not there: is it Reflector's database?"
        table = tables.metadata.tables[name]
        try:
            connection.execute(select(*_used(table, known)).limit(1))
        except DBAPIError as error:
            connection.rollback()
            state = getattr(error.orig, "sqlstate", None)
            if state != "42501":
                raise
            return f"the role may not read table {name}: GRANT SELECT ON {name} TO its role"
    return ""


def _used(table: Any, known: Any) -> list[Any]:
    there = {column["name"] for column in known.get_columns(table.name)}
    return [column for column in table.columns if column.name in there]


def _not_ours(connection: Any) -> str:
    from reflector_migrate.errors import RefusedError
    from reflector_migrate.pipeline.rows import require_mark

    try:
        require_mark(connection)
    except RefusedError as error:
        return error.message
    if connection.dialect.name != "postgresql":
        return ""
    may = "select has_database_privilege(current_database(), 'CREATE')"
    if connection.scalar(text(may)):
        return ""
    return "the role may not make schemas: GRANT CREATE ON DATABASE … TO its role"


def _s3(
    harness: Harness, buckets: Sequence[str], look: Callable[[Any, str, str], None], how: str
) -> Answer:
    from botocore.exceptions import BotoCoreError, ClientError

    client = harness.connections.s3
    for name in buckets:
        bucket, _, folder = name.partition("/")
        try:
            look(client, bucket, f"{folder.strip('/')}/" if folder else "")
        except ClientError as error:
            said = error.response.get("Error", {}).get("Code", "refused")
            return failed("refused", how, why=f"bucket {name}: {error.operation_name}: {said}")
        except (BotoCoreError, ValueError) as error:
            where = harness.settings.s3.endpoint_url or "AWS"
            said = f"{without_user(where)}: {type(error).__name__}"
            return failed("unreachable", how, why=said)
    return passed(how, how, len(buckets))


def _read_one(client: Any, bucket: str, folder: str) -> None:
    found = client.list_objects_v2(Bucket=bucket, Prefix=folder, MaxKeys=1).get("Contents", ())
    for one in found:
        client.head_object(Bucket=bucket, Key=one["Key"])


def _write_one(client: Any, bucket: str, folder: str) -> None:
    key = f"{folder}{PROBE}"
    client.put_object(Bucket=bucket, Key=key, Body=b"")
    client.head_object(Bucket=bucket, Key=key)
    client.delete_object(Bucket=bucket, Key=key)


def _bearer(key: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}


def _http(
    method: str,
    url: str,
    headers: Mapping[str, str],
    fine: Sequence[int],
    then: Callable[[httpx.Response], str] = lambda _answer: "",
    **request: Any,
) -> Answer:
    where = without_user(url)
    try:
        answer = httpx.request(method, url, headers=dict(headers), timeout=TIMEOUT_S, **request)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return failed("unreachable", "answers", why=f"{where}: {type(error).__name__}")
    if answer.status_code in (401, 403):
        return failed("key refused", "answers", why=f"{where}: HTTP {answer.status_code}")
    if answer.status_code not in fine:
        return failed("another service", "answers", why=f"{where}: HTTP {answer.status_code}")
    why = then(answer) if answer.status_code == 200 else ""
    return judged(not why, "answers" if not why else "not as needed", "answers", why=why)
