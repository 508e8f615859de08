"""From `Rules` back to the text of a rules file, with all that the file may leave out; reading it gives the same rules."""

from typing import Any

import yaml

from spark_mode.lab.rules import Rules

WIDTH = 130


def as_document(rules: Rules) -> dict[str, Any]:
    """Return the plain data of a rules file; sizes have their unit, and what nothing stands for is left out."""
    unnamed = {"workloads": {"__all__": {"name"}}}
    document = rules.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=unnamed)
    for mode in document["modes"].values():
        if not mode["class"]:
            del mode["class"]  # nobody has said it
    return document if rules.projects else {key: part for key, part in document.items() if key != "projects"}


def as_text(rules: Rules, width: int = WIDTH) -> str:
    """Return the YAML of a rules file, with lines of about this width."""
    return yaml.dump(
        as_document(rules), Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=width
    )


class _Dumper(yaml.SafeDumper):
    """Writes equal values out each time: a rules file has no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's interface
        return True
