"""What a proposal has that a rules file which is there lacks: only that is told, never written into it."""

from typing import Any

from spark_mode.init.propose import Proposal


def beside(proposal: Proposal, there: Any) -> Proposal:
    """Return what of a proposal is not in a document, which may be of any form."""
    known = {section: _names(there, section) for section in ("workloads", "hosts", "profiles", "modes")}
    rules = there.get("rules") if isinstance(there, dict) else None
    covered = [_members(rule) for rule in rules] if isinstance(rules, list) else []
    served = [one.get("host") for one in _entries(there, "workloads").values() if isinstance(one, dict)]
    new = [one for one in proposal.workloads if one.name not in known["workloads"]]
    return proposal._replace(
        workloads=tuple(one for one in new if one.known or one.host not in served),
        hosts=tuple(one for one in proposal.hosts if one not in known["hosts"]),
        needs={name: models for name, models in proposal.needs.items() if name not in known["profiles"]},
        rules=tuple(one for one in proposal.rules if not any({*one.members} <= members for members in covered)),
        modes=proposal.modes._replace(
            modes=tuple(one for one in proposal.modes.modes if one.name not in known["modes"]), left_out={}
        ),
        limits={},
        alone_in_project=False,
    )


def _names(there: Any, section: str) -> set[str]:
    """Return the keys of a section, and the services that its entries are."""
    entries = _entries(there, section)
    services = {one["service"] for one in entries.values() if isinstance(one, dict) and isinstance(one.get("service"), str)}
    return {*entries, *services}


def _entries(there: Any, section: str) -> dict[Any, Any]:
    entries = there.get(section) if isinstance(there, dict) else None
    return entries if isinstance(entries, dict) else {}


def _members(rule: Any) -> set[Any]:
    if not isinstance(rule, dict):
        return set()
    listed = rule.get("exclusive") or rule.get("of")
    return {one for one in listed if isinstance(one, str)} if isinstance(listed, list) else set()
