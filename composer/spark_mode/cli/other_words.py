"""Words that other tools have for what a verb or an option does here: what somebody types who knows those tools."""

from collections.abc import Sequence

_VERBS = {
    "stop": "down kill halt shutdown off end quit rm remove delete unload disable",
    "up": "start launch load serve add enable create",
    "to": "switch use select mode activate set change",
    "restore": "back undo rollback revert previous return",
    "recover": "repair resume continue finish",
    "release": "unhold unlock free-up",
    "status": "ps ls list show top state stat stats info running watch",
    "plan": "dry-run dryrun diff preview simulate what-if",
    "map": "free memory mem gpu nvidia-smi",
    "history": "log journal last events audit",
    "check": "doctor validate verify lint diagnose test",
    "rules": "config configuration show-rules",
    "calibrate": "measure learn",
    "init": "new generate",
}
_CALLED_HERE = {other: verb for verb, others in _VERBS.items() for other in others.split()}
_WITH_NAMES = ("stop", "up", "to", "plan")
"""Verbs that take the names which stood behind the other word."""
_OF_COMPOSE = frozenset(("attach", "build", "cp", "exec", "images", "logs", "port", "pull", "push"))
_OPTIONS = {
    "--json": "write --format json",
    "--all": "leave it out: without a name it is everything",
    "--detach": "leave it out: a switch ends once all is ready, and what it started runs on",
    "--profile": "leave --profile out: the profile stands behind its mode or behind up",
    "--volumes": "leave it out: a stop removes neither containers nor volumes",
    "--build": "build first: docker compose build NAME; a container is made of the new image once the service was stopped",
    "--pull": "pull first: docker compose pull NAME; a container is made of the new image once the service was stopped",
    "--time": "how long a stop may take is stop_grace_period in the Compose file",
    "--verbose": "leave it out: all that is known is said; a failed start shows the end of its log",
    "--version": "write spark-mode --version",
}
_SAME = {
    **dict.fromkeys(("-a",), "--all"),
    **dict.fromkeys(("-d",), "--detach"),
    **dict.fromkeys(("-j", "-o", "--output"), "--json"),
    **dict.fromkeys(("-t", "--grace"), "--time"),
    **dict.fromkeys(("-V",), "--version"),
    **dict.fromkeys(("--debug",), "--verbose"),
    **dict.fromkeys(("--force-recreate",), "--build"),
    **dict.fromkeys(("--remove-orphans", "--rmi"), "--volumes"),
}


def called_here(word: str) -> str | None:
    """Return the verb that does what other tools have this word for."""
    return _CALLED_HERE.get(word)


def takes_names(verb: str) -> bool:
    """Whether a verb takes the names that stood behind another tool's word."""
    return verb in _WITH_NAMES


def beside(word: str, names: Sequence[str]) -> str | None:
    """Return what does that which is no business of a switch; None for a word that nothing is known of."""
    if word == "restart":
        both = " ".join(names) or "NAME"
        return f"spark-mode stop {both}, then spark-mode up {both}"
    if word in _OF_COMPOSE:
        return f"Compose does that: docker compose {' '.join((word, *names))}"
    return None


def option_here(option: str) -> str | None:
    """Return what does here that which other tools have this option for."""
    return _OPTIONS.get(_SAME.get(option, option))
