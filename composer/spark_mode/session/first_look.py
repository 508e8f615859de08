"""A project that has no rules yet: which files it is, what Compose says of them, and what this machine knows beside that."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from spark_mode.engine.doors import HostFailed
from spark_mode.engine.local import local_socket
from spark_mode.engine.machine import MachineMemory
from spark_mode.engine.resolved import Resolved, projects_that_are_known, resolved
from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.init.several import merged
from spark_mode.init.sizing import Size, rounded
from spark_mode.init.survey import Machine
from spark_mode.journal.measurements import footprints, read_measurements
from spark_mode.lab.files import RULES_NAME, LabFiles
from spark_mode.lab.places import Place
from spark_mode.lab.rules_reading import read_rules
from spark_mode.lab.size import GB
from spark_mode.plain_file import is_file, is_folder, is_there, read_plain
from spark_mode.session.discovery import Flags, find_project, require_unnamed
from spark_mode.session.several import lab_of_places
from spark_mode.sharing.directories import own_directory, shared_directories

USUAL_MEMORY = 128 * GB
"""What is reckoned with where a machine does not tell its memory."""
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


Choose = Callable[[Sequence[str]], str | None]
"""Chooses one of several projects by their names; None where nobody is there to choose."""


class FirstLook(NamedTuple):
    """The files of a project, and what Compose says of them."""

    files: LabFiles
    resolved: Resolved


def first_look(flags: Flags, paths: Sequence[str], environment: Mapping[str, str], here: Path, choose: Choose) -> FirstLook:
    """Read a project: a directory, or Compose files; what the flags and the environment name where no path is given. Several
    directories are several projects of one lab.

    Where there is none here, one of those that the engine knows may be chosen.

    Raises UsageFault for paths that are no project, ConfigurationError for files that cannot be read, EngineUnavailable where
    there is no `docker` command.
    """
    given = [Path(path) for path in paths]
    if missing := next((path for path in given if not is_there(here / path)), None):
        raise UsageFault(f"{missing} is not there", "name a directory with a Compose file, or Compose files")
    folders = [path for path in given if is_folder(here / path)]
    if folders and len(folders) < len(given):
        raise UsageFault("these are directories and files", "name the directories of several projects, or the files of one")
    if len(folders) > 1:
        return _look_at_several(flags, [(here / folder).resolve() for folder in folders], environment)
    if folders:
        here = (here / folders[0]).resolve()
    elif given:
        flags = flags._replace(files=tuple(map(str, given)))
    try:
        files = find_project(flags, environment, here)
    except ConfigurationError as nothing:
        files = _known_project(flags, environment, here, choose, nothing)
    return FirstLook(files, resolved(files, local_socket()))


def _look_at_several(flags: Flags, folders: Sequence[Path], environment: Mapping[str, str]) -> FirstLook:
    """Read several projects as one lab, with its rules in the first folder where they are not named. Raises as `first_look`."""
    rules = Path(flags.rules) if flags.rules else folders[0] / RULES_NAME
    require_unnamed(flags, environment, str(rules))
    files = lab_of_places([Place(folder=os.path.relpath(folder, rules.parent)) for folder in folders], rules)
    known = [resolved(one, local_socket()) for one in files.each]
    unusable = {f"{one.model['name']}/{profile}": why for one in known for profile, why in one.unusable.items()}
    return FirstLook(files, Resolved(merged([one.model for one in known]), unusable))


def _known_project(
    flags: Flags, environment: Mapping[str, str], here: Path, choose: Choose, nothing: ConfigurationError
) -> LabFiles:
    """Return the files of a project that the engine knows and that is chosen. Raises `nothing`, naming those that there are."""
    there = {name: files for name, files in projects_that_are_known(local_socket()).items() if all(map(os.path.isfile, files))}
    if not there:
        raise nothing
    if (chosen := choose(tuple(there))) is None:
        folders = ", ".join(dict.fromkeys(str(Path(files[0]).parent) for files in there.values()))
        raise ConfigurationError(nothing.message, f"name a directory: spark-mode init DIR; the engine knows {folders}")
    return find_project(flags._replace(files=there[chosen], project_name=chosen), environment, here)


def this_machine(project: str, measure: bool) -> Machine:
    """Return what this machine knows: its memory, the weights on its disk, and what was measured of a project.

    To `measure` looks at what runs as well. Raises EngineUnavailable where that cannot be seen.
    """
    memory = MachineMemory().memory().total or USUAL_MEMORY
    empty = read_rules("workloads: {}\n", "nothing", lambda _: "", lambda: memory)
    measured = {**(_held(project) if measure else {}), **_measured(project)}
    sizes = {name: rounded(size) for name, size in measured.items()}
    return Machine(memory, empty, weights_on_disk, sizes, listed_by_host)


def _held(project: str) -> dict[str, Size]:
    from spark_mode.engine.docker import EngineApi  # which only what is measured pays for
    from spark_mode.engine.gpu import NvidiaGpu
    from spark_mode.session.held_now import held_now

    return held_now(project, EngineApi(local_socket()), MachineMemory(), NvidiaGpu())


def weights_on_disk(path: str) -> int | None:
    """Return the bytes of the weights in a file or a directory; None where there are none that can be seen."""
    try:
        return sum(one.stat().st_size for one in _weights(Path(path))) or None
    except OSError:
        return None


def listed_by_host(ports: Sequence[str]) -> dict[str, int]:
    """Return the models, with their bytes, that a host has which publishes these ports here; none where it does not run."""
    from spark_mode.engine.ollama import OllamaApi  # which only a host that names no models pays for

    for address, _, number in (port.rpartition(":") for port in ports):
        if not number.isdecimal():
            continue  # several at once
        with suppress(HostFailed):
            return OllamaApi(f"http://{address if address.startswith('127.') else '127.0.0.1'}:{number}").has()
    return {}


def _weights(path: Path) -> list[Path]:
    """Return the files of a model: all shards of one, or of a directory one format, and of a cache its present snapshot."""
    if is_file(path):
        stem = _SHARD.sub("", path.name)
        shards = [one for one in path.parent.glob("*.gguf") if _SHARD.search(one.name) and _SHARD.sub("", one.name) == stem]
        return shards if _SHARD.search(path.name) else [path]
    if is_folder(path / "snapshots"):
        path = path / "snapshots" / read_plain(path / "refs" / "main", most=100).decode(errors="replace").strip()
    return sorted(path.glob("*.safetensors")) or sorted(path.glob("*.gguf"))


def _measured(project: str) -> dict[str, Size]:
    """Return what the services of a project took, where two starts of it agree."""
    try:
        own = own_directory()
    except ConfigurationError:
        own = None
    folders = [folder for folder in (shared_directories()[1], own) if folder is not None]
    records = [
        one
        for folder in folders
        for file in sorted(folder.glob(f"*.{project}.measured.jsonl"))
        for one in read_measurements(file)
    ]
    return {
        one.workload: Size(one.median, one.low, max(one.high, one.peak), f"measured: the median of {one.count} starts")
        for one in footprints(records)
        if one.agrees
    }
