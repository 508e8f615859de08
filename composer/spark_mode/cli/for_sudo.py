"""`sudo spark-mode` as it has to be typed here: pipx and uv put the program where sudo does not look."""

import sys
from pathlib import Path

WORDS = "sudo spark-mode"
SUDOS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where sudo looks for programs, by its usual secure_path (sudoers(5))."""


def for_sudo(text: str, program: str | None = None, path: str = SUDOS_PATH) -> str:
    """Return a text with the whole path of the program that was typed, unless sudo finds one of its name."""
    typed = Path(sys.argv[0] if program is None else program)
    if WORDS not in text or typed.name != "spark-mode":
        return text
    from shlex import quote
    from shutil import which  # only where somebody is told to use sudo

    return text if which("spark-mode", path=path) else text.replace(WORDS, f"sudo {quote(str(typed.absolute()))}")
