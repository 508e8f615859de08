"""The hash that Compose writes on what it creates, where `config --hash` says another one.

It leaves out what files of variables say, which `up` reads first (measured with 2.40). What is resolved already, read again, has
the right hash. Of a service with a file of labels nobody can tell it: `up` counts the file itself.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from spark_mode.engine.questions import Answer, ask, collect, hashes_in, understood

_FILES = {"env_file", "label_file"}


def hashes_of(resolved: Mapping[str, Any], outlined: Mapping[str, Any], flags: Sequence[str], socket: str) -> dict[str, str]:
    """Return the hash of each service of a resolved project, without those that nobody can tell.

    `outlined` are the services before they were resolved, and `flags` those of the lab's files. Raises EngineUnavailable when
    Compose does not answer in time.
    """
    question = [*_of_standard_input(flags), "--profile", "*", "config", "--no-consistency", "--hash", "*"]
    answer = collect({"hashes": ask(question, socket, json.dumps(resolved))})["hashes"]
    found = {} if answer.complaint() else hashes_in(answer.output)
    return {name: found[name] for name in found if "label_file" not in (outlined.get(name) or {})}


def hashes_again(hashes: dict[str, str], resolved: str, outline: Answer, flags: Sequence[str], socket: str) -> dict[str, str]:
    """Return these hashes, asked anew where a service has files of variables or labels. Raises as `hashes_of` does."""
    outlined = understood(outline.output, lambda: dict(json.loads(outline.output)["services"])) if outline.code == 0 else {}
    if not any(isinstance(one, dict) and _FILES & one.keys() for one in outlined.values()):
        return hashes
    return hashes_of(understood(resolved, lambda: dict(json.loads(resolved))), outlined, flags, socket)


def _of_standard_input(flags: Sequence[str]) -> list[str]:
    """Return the flags of a lab with standard input in place of its files."""
    pairs = list(zip(flags[::2], flags[1::2], strict=True))
    return ["--file", "-", *(part for name, value in pairs if name != "--file" for part in (name, value))]
