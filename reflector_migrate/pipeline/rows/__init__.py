"""The rows a deployment keeps of its recordings, on SQLite and PostgreSQL.

tables.py     the tables, shaped as Reflector's
records.py    one frozen value per kind of row
rows.py       reading and writing them, a writer at a time
reopening.py  a transcript that is worked on again, and back
copies.py     a recording's rows carried into another database, or erased
run_tables.py the tables of one run of the candidate's
mark.py       the mark of a database that is ours: nothing is erased in another
"""

from reflector_migrate.pipeline.rows.copies import restore, snapshot, wipe
from reflector_migrate.pipeline.rows.mark import require_mark, write_mark
from reflector_migrate.pipeline.rows.records import (
    CalendarEventRow,
    ConsentRow,
    MeetingRow,
    RecordingRow,
    RoomRow,
    TranscriptRow,
)
from reflector_migrate.pipeline.rows.rows import Rows
from reflector_migrate.pipeline.rows.run_tables import (
    drop_run_tables,
    fill_run_tables,
    find_run_tables,
)
from reflector_migrate.pipeline.rows.tables import create_all, metadata

__all__ = [
    "CalendarEventRow",
    "ConsentRow",
    "MeetingRow",
    "RecordingRow",
    "RoomRow",
    "Rows",
    "TranscriptRow",
    "create_all",
    "drop_run_tables",
    "fill_run_tables",
    "find_run_tables",
    "metadata",
    "require_mark",
    "restore",
    "snapshot",
    "wipe",
    "write_mark",
]
