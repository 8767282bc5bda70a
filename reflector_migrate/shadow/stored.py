"""What is stored of a recording of a real deployment; nothing is ever run there."""

from __future__ import annotations

from reflector_migrate.errors import InputError
from reflector_migrate.model import Comparison, Engine, Role, Side, Verdict
from reflector_migrate.settings import Settings
from reflector_migrate.store.evidence import Evidence
from reflector_migrate.store.runs import RunRecord, Runs


def stored_comparison(settings: Settings, recording_id: str) -> Comparison:
    """The youngest comparison; INCONCLUSIVE while a side is missing or still running.

    Raises InputError when nothing at all is known of the recording.
    """
    run = Runs(settings.store_url).latest(recording_id)
    found = Evidence(settings.store_url).latest(recording_id)
    if found is not None and (run is None or found.run_id == run.run_id):
        return found
    if run is None:
        raise InputError(
            f"nothing is stored of recording {recording_id}",
            hint="only recordings that ran under the shadow flag are known here",
        )
    return _unfinished(run)


def _unfinished(run: RunRecord) -> Comparison:
    why = f"the candidate's run is {run.state}" + (f": {run.reason}" if run.reason else "")
    return Comparison(
        recording=run.recording_id,
        run_id=run.run_id,
        primary=Side(role=Role.PRIMARY, engine=Engine.CELERY),
        candidate=Side(role=Role.CANDIDATE, engine=Engine.CONDUCTOR, status=run.state),
        verdict=Verdict.INCONCLUSIVE,
        notes=(why,),
    )
