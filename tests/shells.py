"""The real shells, asked what they offer: bash and zsh at a terminal, fish by its own `complete -C`."""

import os
import pty
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from select import select

import pytest

READY = "<ready>"
ANOTHER_LINE = "\x15\n"
"""What takes back what was typed, and begins anew."""
SECONDS = 90.0
WIDTH = "200"
PLAIN = "unsetopt zle_bracketed_paste prompt_cr prompt_sp; LISTMAX=1000; bindkey '^I' list-choices"
AT_ONCE = [
    "set page-completions off",
    "set enable-bracketed-paste off",
    "set completion-query-items 1000",
    r'"\t": possible-completions',
]
_ESCAPES = re.compile(r"\x1b\[[?\d;]*[a-zA-Z]")


def by_bash(script: Path, lines: Sequence[str], folder: Path, environment: Mapping[str, str]) -> list[list[str]]:
    """Return what bash lists for each line that is typed so far."""
    binds = "; ".join(f"bind '{one}'" for one in AT_ONCE)
    return _listed(["bash", "--norc", "--noprofile", "-i"], [f"source {script}; {binds}"], lines, folder, environment)


def by_zsh(script: Path, lines: Sequence[str], folder: Path, environment: Mapping[str, str]) -> list[list[str]]:
    """Return what zsh lists, where its .zshrc has the script and has called nothing before."""
    return _listed(["zsh", "-f", "-i"], [f"source {script}; {PLAIN}"], lines, folder, environment)


def by_zsh_from_fpath(script: Path, lines: Sequence[str], folder: Path, environment: Mapping[str, str]) -> list[list[str]]:
    """Return what zsh lists, where it finds the script in a folder of its fpath."""
    own = script.parent / "functions"
    own.mkdir(exist_ok=True)
    shutil.copy(script, own / "_spark-mode")
    begun = f"fpath=({own} $fpath); autoload -Uz compinit && compinit -i -d {script.parent}/dump; {PLAIN}"
    return _listed(["zsh", "-f", "-i"], [begun], lines, folder, environment)


def by_fish(script: Path, lines: Sequence[str], folder: Path, environment: Mapping[str, str]) -> list[list[str]]:
    """Return what fish offers: names, each with what it is after a tab."""
    asks = "; ".join(f"complete -C {line!r}; echo '{READY}'" for line in lines)
    asked = ["fish", "--no-config", "-c", f"source {script}; {asks}"]
    done = subprocess.run(asked, check=True, cwd=folder, env={**environment}, capture_output=True, text=True, timeout=SECONDS)
    return [one.splitlines() for one in done.stdout.split(f"{READY}\n")[:-1]]


SHELLS: dict[str, Callable[[Path, Sequence[str], Path, Mapping[str, str]], list[list[str]]]] = {
    "bash": by_bash,
    "zsh": by_zsh,
    "zsh from fpath": by_zsh_from_fpath,
    "fish": by_fish,
}


def require(shell: str) -> None:
    """Skip a test where a shell is not installed."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: apt install {shell}")


def _listed(
    shell: Sequence[str], before: Sequence[str], lines: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> list[list[str]]:
    """Type each line and a tab; return what is listed below it until the line is shown anew."""
    found = []
    with _at_a_terminal(shell, folder, environment) as (write, until):
        for one in (*before, f"PS1='{READY}'"):
            write(f"{one}\n")
        until(rf"\n{READY}$")
        for line in lines:
            write(f"{line}\t")
            shown = [one.rstrip() for one in until(rf"\n{READY}{re.escape(line)}$").splitlines()]
            found.append([one for one in shown[shown.index(line.rstrip()) + 1 :] if one and READY not in one])
            write(ANOTHER_LINE)
            until(rf"\n{READY}$")
    return found


@contextmanager
def _at_a_terminal(
    shell: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[Callable[[str], object], Callable[[str], str]]]:
    """Have a shell at a terminal: what types there, and what reads until a pattern matches all that was read meanwhile."""
    terminal, its_end = pty.openpty()
    there = {**environment, "TERM": "dumb", "COLUMNS": WIDTH, "PS1": "$ "}
    process = subprocess.Popen(["setsid", "--ctty", *shell], cwd=folder, env=there, stdin=its_end, stdout=its_end, stderr=its_end)
    os.close(its_end)

    def until(pattern: str) -> str:
        read = ""
        while not re.search(pattern, read):
            more, _, _ = select([terminal], [], [], SECONDS)
            assert more, f"nothing more came after {read!r}"
            read = _ESCAPES.sub("", read + os.read(terminal, 65536).decode()).replace("\r", "")
        return read

    try:
        yield lambda text: os.write(terminal, text.encode()), until
    finally:
        os.close(terminal)  # at which a shell ends
        process.wait(SECONDS)
