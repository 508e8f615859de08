"""Which lab is meant: flags, then the environment, then the working directory, then the lab that the user has set.

It is never another one than people think: a directory that could be a lab and is none is refused, and none that is named with -C
is passed over. The folder of one of the projects that the set lab is made of is that lab's.

It imports nothing heavy, because the questions to Compose start as soon as the files are known.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from spark_mode.engine.env_files import FILE, NAME
from spark_mode.errors import ConfigurationError, UsageFault
from spark_mode.lab.files import RULES_NAME, LabFiles
from spark_mode.lab.places import may_name_projects
from spark_mode.plain_file import is_file, is_there, plain_text
from spark_mode.session.compose_folder import own_env_files, settings_of, split_files, usual_files
from spark_mode.session.set_lab import lab_setting, set_folder, set_lab_over
from spark_mode.session.several import lab_of_rules

_NAMING = {"files": "-f", "project_name": "-p", "project_directory": "--project-directory", "env_files": "--env-file"}
"""The options that name a project; so do variables that are exported."""
_EXPORTED = (FILE, NAME, "COMPOSE_ENV_FILES")
_NAME_IT = "go to the lab's directory, or name it: -C DIR, or its files with -f; or set it once: spark-mode lab DIR"


class Flags(NamedTuple):
    """The options of the command line that say which lab is meant; `directory` is the one that was gone to."""

    files: tuple[str, ...] = ()
    project_directory: str | None = None
    project_name: str | None = None
    env_files: tuple[str, ...] = ()
    rules: str | None = None
    directory: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The options that name the same lab, for a command in the same directory."""
        given = [*(f"--file={file}" for file in self.files), *(f"--env-file={file}" for file in self.env_files)]
        named = {"--project-directory": self.project_directory, "--project-name": self.project_name, "--rules": self.rules}
        return (*given, *(f"{option}={value}" for option, value in named.items() if value))


def here() -> Path:
    """Return the working directory. Raises ConfigurationError when it was removed."""
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigurationError(f"the working directory is gone: {error.strerror}", "go to another one: cd") from None


def find_lab(flags: Flags, environment: Mapping[str, str], here: Path) -> LabFiles:
    """Return the files of the lab.

    Raises ConfigurationError when there is none, no rules file with it, or an `.env` that Compose cannot read; UsageFault for
    options that name a project where the rules name several.
    """
    named = _rules_named(flags, environment)
    several = lab_of_rules(str(here / named)) if named else None
    if several is None:
        found = _find_one(flags, environment, here)
        several = lab_of_rules(found.rules)
        if several is None:
            return found
    require_unnamed(flags, environment, several.rules)
    return several


def require_unnamed(flags: Flags, environment: Mapping[str, str], rules: str) -> None:
    """Raise UsageFault where a project is named beside rules that name several."""
    if given := [option for option in _NAMING if getattr(flags, option)] + [name for name in _EXPORTED if environment.get(name)]:
        names = ", ".join(_NAMING.get(one, one) for one in given)
        message = f"{rules} says which Compose projects this lab is made of, and {names} would name another one"
        raise UsageFault(message, "leave it out; a project of its own has rules of its own")


def _find_one(flags: Flags, environment: Mapping[str, str], here: Path) -> LabFiles:
    """Return the files of a lab of one Compose project. Raises as `find_lab` does."""
    named = named_env_files(flags, environment, here)
    folder, compose = _compose_files(flags, environment, here, named)
    rules = _rules_named(flags, environment)
    project = None if flags.files else settings_of(folder, named).get(NAME)  # as Compose does
    directory = here / flags.project_directory if flags.project_directory else None
    return LabFiles(
        compose=tuple(file if "://" in file else str(folder / file) for file in compose),
        rules=str(here / rules) if rules else _rules_beside(folder / compose[0], folder),
        project_directory=str(directory) if directory else None,
        project_name=flags.project_name or environment.get(NAME) or project,
        env_files=named or (() if flags.files else own_env_files(directory or (folder / compose[0]).parent, folder)),
    )


def find_project(flags: Flags, environment: Mapping[str, str], here: Path) -> LabFiles:
    """Return the Compose files that are here or that are named, and the rules that they have, or where these would belong.

    Raises ConfigurationError where there are none, or an `.env` that Compose cannot read.
    """
    named = named_env_files(flags, environment, here)
    settings = settings_of(here, named)
    in_env = environment.get(FILE) or settings.get(FILE)
    compose = flags.files or (split_files(in_env, environment, settings) if in_env else usual_files(here))
    if not compose:
        raise ConfigurationError(f"no Compose file in {here}", "name its directory, or its files: spark-mode init FILE…")
    first = here / compose[0]
    rules = _rules_named(flags, environment)
    directory = here / flags.project_directory if flags.project_directory else None
    return LabFiles(
        compose=tuple(file if "://" in file else str(here / file) for file in compose),
        rules=str(here / rules) if rules else _rules_there(first, here) or str(first.parent / RULES_NAME),
        project_directory=str(directory) if directory else None,
        project_name=flags.project_name or environment.get(NAME) or (None if flags.files else settings.get(NAME)),
        env_files=named or (() if flags.files else own_env_files(directory or first.parent, here)),
    )


def named_env_files(flags: Flags, environment: Mapping[str, str], here: Path) -> tuple[str, ...]:
    """Return the files of variables that are named, by flags or else by COMPOSE_ENV_FILES; Compose reads no `.env` then."""
    named = flags.env_files or [file for file in environment.get("COMPOSE_ENV_FILES", "").split(",") if file]
    return tuple(str(here / file) for file in named)


def find_rules(flags: Flags, environment: Mapping[str, str], here: Path) -> str:
    """Return the rules file alone, for what needs no Compose file. Raises ConfigurationError when there is none."""
    rules = _rules_named(flags, environment)
    return str(here / rules) if rules else find_lab(flags, environment, here).rules


def _compose_files(flags: Flags, environment: Mapping[str, str], here: Path, named: Sequence[str]) -> tuple[Path, Sequence[str]]:
    if flags.files:
        return here, flags.files
    if set_files := environment.get(FILE):
        return here, split_files(set_files, environment, settings_of(here, named))
    folder = lab_folder(flags, environment, here)
    return folder, _in_folder(folder, environment, named, _rules_named(flags, environment))


def lab_folder(flags: Flags, environment: Mapping[str, str], here: Path) -> Path:
    """Return the directory of the lab where no Compose file is named. Raises ConfigurationError when there is none."""
    named, rules = named_env_files(flags, environment, here), _rules_named(flags, environment)
    if not (rules or is_file(here / RULES_NAME)) and (whole := set_lab_over([here], environment)):
        return whole
    if _in_folder(here, environment, named, rules):
        return here
    if compose := usual_files(here):
        raise ConfigurationError(
            f"{here / compose[0]} has no {RULES_NAME} beside it: this is no lab yet, and no other is taken for it",
            _make_it_one(here, environment),
        )
    if flags.directory is not None:
        raise ConfigurationError(f"no lab in {here}: it has no Compose file with a {RULES_NAME}", "name the lab's own directory")
    folder = set_folder(environment)
    if folder is None:
        raise ConfigurationError(f"no lab here: {here} has no Compose file with a {RULES_NAME}", _NAME_IT)
    if not _in_folder(folder, environment, named, rules):
        message = f"the lab in {lab_setting(environment)}, {folder}, has no Compose file with a {RULES_NAME}"
        raise ConfigurationError(message, "set it anew: spark-mode lab DIR; or forget it: spark-mode lab --unset")
    return folder


def _make_it_one(folder: Path, environment: Mapping[str, str]) -> str:
    """Return the two ways on from a directory that is no lab yet."""
    try:
        other = set_folder(environment)
    except ConfigurationError:
        other = None
    return "\n".join(
        (
            f"make it one: spark-mode init, or with lines such as these in {folder / RULES_NAME}:",
            "      workloads: {SERVICE: {class: llm, footprint: 20GB}, OTHER: {class: tuning, footprint: 20GB}}",
            "      rules: [{exclusive: [llm, tuning]}]",
            "      modes: {chat: {services: [SERVICE]}, tune: {services: [OTHER]}}",
            f"    or use another lab: spark-mode -C {other or 'DIR'} …",
        )
    )


def _rules_named(flags: Flags, environment: Mapping[str, str]) -> str | None:
    return flags.rules or environment.get("SPARK_MODE_RULES")


def _in_folder(folder: Path, environment: Mapping[str, str], named: Sequence[str], rules: str | None) -> Sequence[str]:
    """Return the Compose files of a folder that is a lab: named in its `.env`, or under a usual name with rules.

    Rules that name the projects are enough; they stand in for files then.
    """
    settings = settings_of(folder, named)
    if in_env := settings.get(FILE):
        return split_files(in_env, environment, settings)
    if not rules and not is_file(folder / RULES_NAME):
        return ()
    return usual_files(folder) or ([RULES_NAME] if may_name_projects(plain_text(folder / RULES_NAME) or "") else ())


def _rules_there(first: Path, here: Path) -> str | None:
    """Return the rules file beside the first Compose file, in its parent or here, the first that is there."""
    places = (folder / RULES_NAME for folder in (first.parent, first.parent.parent, here))
    return next((str(place) for place in places if is_file(place)), None)


def _rules_beside(first: Path, here: Path) -> str:
    if found := _rules_there(first, here):
        return found
    if not is_there(first):
        raise ConfigurationError(f"{first}: no such file", "name a Compose file that is there")
    raise ConfigurationError(
        f"no {RULES_NAME} beside {first}, in its parent or in {here}",
        "write one, or name it: --rules FILE, or export SPARK_MODE_RULES=FILE",
    )
