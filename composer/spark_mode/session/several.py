"""A lab of several Compose projects: where their files are, as its rules name them."""

from collections.abc import Sequence
from os.path import normpath
from pathlib import Path

from spark_mode.engine.env_files import FILE, NAME
from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import LabFiles
from spark_mode.lab.places import Place, places_in
from spark_mode.plain_file import is_file, plain_text
from spark_mode.session.compose_folder import COMPOSE_NAMES, own_env_files, settings_of, split_files, usual_files


def lab_of_rules(rules: str) -> LabFiles | None:
    """Return the files of the Compose projects that rules name, None where they name none. Raises ConfigurationError."""
    path = Path(rules)
    places = places_in(plain_text(path) or "", path.name)
    return lab_of_places(places, path) if places else None


def lab_of_places(places: Sequence[Place], rules: Path) -> LabFiles:
    """Return the files of a lab whose rules lie there and name these places. Raises ConfigurationError for one that is none."""
    each = [_files_at(place, rules) for place in places]
    known = [(one.compose, one.project_name) for one in each]
    for position, (place, files) in enumerate(zip(places, each, strict=True)):
        where = f"{rules.name}: projects/{position}"
        if files.folder and is_file(Path(files.folder)):
            way = f"name its folder, or the file as one: {{files: [{place.folder}]}}"
            raise ConfigurationError(f"{where}: {place.folder} is a file, and no folder", way)
        if (same := known.index(known[position])) < position:
            raise ConfigurationError(f"{where}: it is the same as projects/{same}", "leave one of them out")
    first, *others = each
    return first._replace(others=tuple(others))


def _files_at(place: Place, rules: Path) -> LabFiles:
    """Return the files of one of several projects, as plain Compose would take them in its folder."""
    folder = Path(normpath(rules.parent / place.folder)) if place.folder is not None else None
    settings = _settings_there(folder) if folder else {}
    files = (
        place.files or split_files(settings.get(FILE, ""), {}, settings) or (folder and usual_files(folder)) or COMPOSE_NAMES[:1]
    )
    compose = tuple(file if "://" in file else normpath((folder or rules.parent) / file) for file in files)
    directory = Path(compose[0]).parent
    named = tuple(normpath(rules.parent / file) for file in place.env_files)
    return LabFiles(
        compose=compose,
        rules=str(rules),
        project_name=place.name or settings.get(NAME),
        env_files=named or own_env_files(directory, folder or directory),
        folder=str(folder) if folder else None,
    )


def _settings_there(folder: Path) -> dict[str, str]:
    """Return what a project's `.env` says of it; what Compose cannot read there it says itself when it is asked."""
    try:
        return settings_of(folder, ())
    except ConfigurationError:
        return {}
