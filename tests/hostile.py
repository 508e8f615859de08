"""A working directory that would like to be run: programs under every name that ours, Python or a shell might look for."""

from pathlib import Path

_MODULES = ("spark_mode/__init__", "spark_mode/cli/__init__", "spark_mode/cli/__main__", "spark_mode/enforcement/gate")
_OF_OTHERS = ("sitecustomize", "usercustomize", "click", "yaml", "json", "pydantic", "runpy")
_PROGRAMS = ("spark-mode", "python", "python3")


def lay_traps(folder: Path) -> Path:
    """Put the programs there; return the file in which each of them leaves its name when it is run."""
    sprung = folder / "sprung"
    for name in (*_MODULES, *_OF_OTHERS):
        trap = folder / f"{name}.py"
        trap.parent.mkdir(parents=True, exist_ok=True)
        trap.write_text(f"with open({str(sprung)!r}, 'a') as sprung:\n    sprung.write({name!r} + ' ')\n")
    for name in _PROGRAMS:
        program = folder / name
        program.write_text(f"#!/bin/sh\nprintf '%s ' program-{name} >> '{sprung}'\n")
        program.chmod(0o755)
    return sprung
