"""The jobs of a queue that have ended on a machine, by number and start: what they hold is in force no more, none begins late.

A job whose queue has given it up may still be about to ask for the machine: its process was lost, or stood still. Each job is
written down before anything of it is stopped, and the last ones are kept.
"""

import json
from pathlib import Path

from spark_mode.atomic_file import replace_file
from spark_mode.errors import ConfigurationError
from spark_mode.plain_file import fault, read_plain
from spark_mode.planning.job import Job
from spark_mode.sharing.shared_file import MODE, locked, open_lock, takes_in_turn

MOST = 500


class EndedJobs:
    """Those of a lab, in a file that all users share."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, job: Job) -> None:
        """Write down that a job has ended; one without a start could be any to come. Raises ConfigurationError."""
        if job.start is None or job in self:
            return
        with locked(self._path.with_suffix(".lock"), open_lock, takes_in_turn):
            jobs = [*self._read(), str(job)][-MOST:]
            try:
                replace_file(self._path, json.dumps(jobs).encode(), MODE)
            except OSError as error:
                raise ConfigurationError(*fault(self._path, error, "make room, or make it writable")) from None

    def __contains__(self, job: Job | None) -> bool:
        return job is not None and str(job) in self._read()

    def _read(self) -> list[str]:
        """Return what is written; what cannot be read has ended nothing, so that what is held stays held."""
        try:
            found = json.loads(read_plain(self._path, follow=False))
        except (OSError, ValueError, RecursionError):
            return []
        return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
