"""`spark-mode init --example`: the audio lab and its stand-ins, unpacked from what is installed."""

import os
import shutil
from pathlib import Path

import spark_mode
from spark_mode.errors import ConfigurationError, Refused

FOLDER = "audio-lab"
_PARTS = ("compose", "rules.yaml", ".env")
_STAND_INS = ("COMPOSE_FILE=compose/audio-lab.yaml:compose/stand-in.yaml", "SPARK_MODE_RULES=compose/stand-in.rules.yaml")


def unpack(folder: Path) -> str:
    """Put the example into a folder that is empty or not there yet, whole or not at all, and return what leads on.

    Raises Refused where something is there, ConfigurationError where it cannot be written or does not come with the installation.
    """
    source = _source()
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise Refused(f"{folder} is there, and stays as it is", "name another folder: spark-mode init --example DIR")
    new = folder.with_name(f".{folder.name}.{os.urandom(8).hex()}")
    try:
        new.mkdir(parents=True)
        for part in _PARTS:
            _copy(source / part, new / part)
        new.replace(folder)
    except OSError as error:
        raise ConfigurationError(f"{folder}: {error.strerror}", "name another folder: spark-mode init --example DIR") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return leads_on(folder)


def leads_on(folder: Path) -> str:
    """Return what can be done with the example, as it is typed."""
    return "\n".join(
        (
            f"{folder} has the audio lab for a Spark,\nand stand-ins of its models for any machine; with these:",
            f"  cd {folder}",
            "  sh compose/stand-in/build.sh    # builds their image",
            *(f"  export {one}" for one in _STAND_INS),
            "  spark-mode audio omni",
        )
    )


def _source() -> Path:
    """Return where the example lies: in the package, or in the checkout that it is run from."""
    package = Path(spark_mode.__file__).parent
    for place in (package / "example", package.parents[1]):
        if all((place / part).exists() for part in _PARTS):
            return place
    raise ConfigurationError(
        "the example does not come with this installation", "install spark-mode from its wheel or its checkout"
    )


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)
