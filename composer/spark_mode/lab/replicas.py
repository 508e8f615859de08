"""A service of which Compose starts several containers: one workload, which takes what all of them take."""

from spark_mode.lab.project import Project
from spark_mode.lab.workload import Footprint, Variant, Workload


class Replicated(Workload):
    """A workload of several containers; `each` is what rules.yaml says of one of them."""

    each: Workload


def all_of_it(workload: Workload, project: Project) -> Workload:
    """Return a workload with the footprints of all replicas that its service has in a project."""
    each = workload.each if isinstance(workload, Replicated) else workload
    service = project.services.get(each.service or "")
    return times(each, service.replicas if service else 1)


def times(each: Workload, count: int) -> Workload:
    """Return a workload of so many containers; that of one of them is itself."""
    if count < 2:
        return each
    variants = {name: _variant(one, count) for name, one in each.variants.items()}
    known = dict(each) | {"footprint": _times(each.footprint, count), "variants": variants, "each": each}
    return Replicated.model_construct(**known)


def of_one(workload: Workload) -> Workload:
    """Return a workload with the footprint of one of its containers."""
    if not isinstance(workload, Replicated):
        return workload
    variant = workload.variant
    return workload.each.in_variant(variant) if variant and variant in workload.variants else workload.each


def _variant(one: Variant, count: int) -> Variant:
    return one.model_copy(update={"footprint": _times(one.footprint, count)})


def _times(one: Footprint, count: int) -> Footprint:
    return one.model_copy(update={"planned": one.planned * count, "low": one.low * count, "high": one.high * count})
