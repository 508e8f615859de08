"""The lab that the user has set to be used from anywhere, and the folders that are its own."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import RULES_NAME, LabFiles
from spark_mode.plain_file import is_file, read_plain
from spark_mode.session.several import lab_of_rules


def lab_setting(environment: Mapping[str, str]) -> Path:
    """Return the file in which the user's own lab is kept."""
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "spark-mode" / "lab"


def set_folder(environment: Mapping[str, str]) -> Path | None:
    """Return the directory that the user has set, if one is. Raises ConfigurationError where it cannot be read, or is gone."""
    setting = lab_setting(environment)
    if not is_file(setting):
        return None
    folder = ""
    try:
        folder = read_plain(setting).decode().strip()
        return Path(folder).resolve(strict=True)
    except (OSError, ValueError) as error:
        reason = f"{folder[:200] or 'it'}: {error.strerror}" if isinstance(error, OSError) else "it is not a path"
        hint = "set it anew: spark-mode lab DIR; or forget it: spark-mode lab --unset"
        raise ConfigurationError(f"the lab that is set in {setting}: {reason}", hint) from None


def set_lab_over(folders: Iterable[Path], environment: Mapping[str, str]) -> Path | None:
    """Return the directory of the set lab where Compose files of one of its several projects lie in one of these folders."""
    try:
        whole = set_folder(environment)
        several = lab_of_rules(str(whole / RULES_NAME)) if whole else None
    except ConfigurationError:  # which is no answer; whoever uses that lab is told
        return None
    theirs = folders_of(several) if several else set()
    return whole if theirs & {folder.resolve() for folder in folders} else None


def set_lab_apart(files: LabFiles, environment: Mapping[str, str]) -> Path | None:
    """Return the directory of the set lab where it is made of these files' projects, too, by other rules; else None."""
    whole = set_lab_over(folders_of(files), environment)
    return whole if whole and (whole / RULES_NAME).resolve() != Path(files.rules).resolve() else None


def second_lab(files: LabFiles, environment: Mapping[str, str]) -> str | None:
    """Say that the set lab is made of these files' projects, too, by other rules; None where it is not."""
    whole = set_lab_apart(files, environment)
    if whole is None:
        return None
    return f"the lab in {whole} has what is here among its projects already: with rules of its own it is planned twice"


def labs_within(files: LabFiles) -> Iterator[str]:
    """Say which projects of a lab of several have rules of their own in their folders: who types there has another lab."""
    whole = Path(files.rules).resolve()
    for folder in sorted(folders_of(files)) if files.others else ():
        if is_file(own := folder / RULES_NAME) and own.resolve() != whole:
            yield f"{own} makes what is there a lab of its own, too, and so it is planned twice"


def folders_of(files: LabFiles) -> set[Path]:
    """Return the folders in which the Compose files of a lab's projects lie."""
    return {Path(file).parent.resolve() for file in files.all_compose if "://" not in file}
