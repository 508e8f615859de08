"""A JSON schema of rules.yaml for editors, made from the models: it knows every key, and takes all that `read_rules` takes."""

from typing import Any

from spark_mode.lab.left_out import FILLED_IN
from spark_mode.lab.rules import Rules
from spark_mode.lab.rules_described import described

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def rules_schema() -> dict[str, Any]:
    """Return the schema of what may be written: keys that are filled in are not required, and a file may extend another."""
    schema = Rules.model_json_schema(by_alias=True)
    models: dict[str, dict[str, Any]] = {**schema["$defs"], "Rules": schema}
    for name, model in models.items():
        model["required"] = [key for key in model.get("required", ()) if key not in FILLED_IN.get(name, ())]
    schema["required"] = []
    schema["anyOf"] = [{"required": ["workloads"]}, {"required": ["extends"]}]
    schema["dependentRequired"] = {"scale": ["extends"]}
    schema["properties"] |= {
        "extends": {"type": "string", "description": "The path of another rules file, whose keys hold where this one has none."},
        "scale": {"type": ["string", "number"], "description": "What every size is multiplied by, such as 1/16."},
    }
    for name, model in models.items():
        for key, said in described(name).items():
            as_mapping(model)["properties"][key] |= {"description": said.says}
    for section in ("hardware", "limits", "overhead", "classes"):
        schema["properties"][section] = _or_nothing(schema["properties"][section])
    schema["$defs"]["WorkloadClass"] = _or_nothing(schema["$defs"]["WorkloadClass"])
    workload = schema["$defs"]["Workload"]
    size = schema["$defs"]["Overhead"]["properties"]["system"]
    schema["$defs"]["Workload"] = {"anyOf": [workload, {key: size[key] for key in ("type", "pattern")}]}
    for key in ("system", "per_class"):
        schema["$defs"]["Overhead"]["properties"][key] = _or_zero(schema["$defs"]["Overhead"]["properties"][key])
    return {"$schema": DIALECT, **_plain(schema)}


def as_mapping(model: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a model without the shorter forms that may stand for it."""
    return next((one for one in model.get("anyOf", ()) if "properties" in one), model)


def _or_nothing(part: dict[str, Any]) -> dict[str, Any]:
    """With nothing below it a key is as good as left out."""
    return {"anyOf": [part, {"type": "null"}]}


def _or_zero(size: dict[str, Any]) -> dict[str, Any]:
    """Nothing needs no unit."""
    written = {key: size[key] for key in ("type", "pattern")}
    return {**{key: one for key, one in size.items() if key not in written}, "anyOf": [written, {"enum": [0]}]}


def _plain(part: Any) -> Any:
    """Leave out what no editor shows: titles that repeat the key, and defaults that stand for nothing."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if not _is_noise(key, value)}
    return {key: _plain(value) for key, value in kept.items()}


def _is_noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value in (None, "", {}, [])) or value == []
