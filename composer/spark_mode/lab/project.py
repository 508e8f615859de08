"""The Compose project, or several as one, with all its services."""

from collections.abc import Iterable

from pydantic import Field

from spark_mode.lab.service import Part, Service

GATE = "spark-mode-gate-"
"""How the services begin that the gate adds: providers that take nothing."""


class Project(Part):
    """The whole project, all profiles included. `compose` is the version of Compose that resolved it.

    A lab of several Compose projects is one project, under the name of the first (`joined.py`): `parts` are those, and its
    services have the names by which the lab knows them.

    `unusable` says of a profile why Compose cannot resolve it; of the empty one, which is what has none, why it resolves nothing.
    `apart` says that it does not resolve all profiles together. `stand_ins` are values for variables that Compose would have, so
    that it resolves what does not need them.
    """

    name: str
    services: dict[str, Service] = Field(default_factory=dict)
    networks: dict[str, str] = Field(default_factory=dict)
    volumes: dict[str, str] = Field(default_factory=dict)
    compose: str = ""
    unusable: dict[str, str] = Field(default_factory=dict)
    apart: bool = False
    stand_ins: dict[str, str] = Field(default_factory=dict)
    parts: "tuple[Project, ...]" = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names that Compose has for it: one, or those of its parts."""
        return tuple(part.name for part in self.parts) or (self.name,)

    def lab_name(self, project: str, service: str) -> str:
        """Return how the lab knows a service of one of its Compose projects: as it is, `project/service` where two have it."""
        is_shared = any(service in part.services for part in self.parts if part.name != project)
        return f"{project}/{service}" if is_shared else service

    def known_as(self, word: str) -> str:
        """Return how the lab knows what is written as `project/service`; any other word is left as it is."""
        project, slash, service = word.rpartition("/")  # a project that cannot be read may have no name, "" then
        return self.lab_name(project, service) if slash and self.parts and project in self.names else word

    def asked_as(self, word: str) -> str:
        """Return how the lab knows what somebody asks for as `project/name`, a service or the profile of one project alone."""
        return word if word in self.profiles else self.known_as(word)

    def profile_known_as(self, word: str) -> str:
        """Return how the lab knows a profile that is written as `project/profile`; any other word is left as it is."""
        project, _, profile = word.rpartition("/")
        is_its = any(profile in one.profiles for one in self.services.values() if one.project == project)
        return profile if self.parts and is_its and word not in self.profiles else word

    def part_of(self, service: str) -> "Project":
        """Return the Compose project that a service is of."""
        return next((part for part in self.parts if part.name == self.services[service].project), self)

    def plain_name(self, service: str) -> str:
        """Return the name that a service has in its Compose project."""
        return self.services[service].plain if self.parts else service

    @property
    def unread(self) -> str | None:
        """Which of several Compose projects cannot be read, and why: what services and profiles those have is not known."""
        found = (
            f"Compose cannot read the project {part.name}: {part.unusable['']}" for part in self.parts if "" in part.unusable
        )
        return "; ".join(found) or None

    def unread_with(self, name: str) -> str | None:
        """Return which project that Compose cannot read may have this service or profile, and why; of several, which they are."""
        unread = [part for part in self.parts if "" in part.unusable]
        written = name.rpartition("/")[0]
        those = [part for part in unread if part.name == written] if written in self.names else unread
        if len(those) > 1:
            return f"Compose cannot read the projects {', '.join(part.name for part in those)} (why: spark-mode check)"
        return next((f"Compose cannot read the project {part.name}: {part.unusable['']}" for part in those), None)

    def namesakes(self, service: str) -> tuple[str, ...]:
        """Return the services of several of its Compose projects that have this name, as the lab knows them."""
        return tuple(name for name, one in self.services.items() if one.plain == service and name != service)

    @property
    def profiles(self) -> tuple[str, ...]:
        """All profiles, in the order of their first service."""
        return tuple(dict.fromkeys(profile for service in self.services.values() for profile in service.profiles))

    @property
    def without_profile(self) -> tuple[str, ...]:
        """The services that belong to every target, as in Compose; what is not startable is never in a target."""
        there = self.services.items()
        return tuple(name for name, service in there if not service.profiles and service.startable and not service.unit)

    @property
    def awaited(self) -> frozenset[str]:
        """The services that others wait for until they have completed."""
        dependencies = (one for service in self.services.values() for one in service.depends_on.items())
        return frozenset(name for name, dependency in dependencies if dependency.condition == "service_completed_successfully")

    def fault_of(self, name: str) -> str | None:
        """Return why a service cannot be used: Compose resolves nothing at all, or none of its profiles.

        One that none of several Compose projects has may be of one that Compose cannot read.
        """
        if self.parts:
            known = self.services.get(name)
            if known is None:
                return self.unread_with(name)
            return self.part_of(name).fault_of(known.plain) if known.unit is None else None
        reasons = [self.unusable.get(profile) for profile in self.services[name].profiles] if name in self.services else []
        faults = tuple(filter(None, reasons))
        return self.unusable.get("") or ("; ".join(dict.fromkeys(faults)) if faults and len(faults) == len(reasons) else None)

    def of_profile(self, profile: str) -> tuple[str, ...]:
        """Return the services of a profile without what they depend on."""
        return tuple(name for name, service in self.services.items() if profile in service.profiles and service.startable)

    def closure(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return these services and all they need, dependencies before dependents.

        An optional dependency (`required: false`) does not come along; it only comes first where it is asked for.
        Ties keep the order of `names` and of the file, so that the same request always gives the same order.
        """
        wanted = tuple(names)
        ordered: dict[str, None] = {}

        def visit(name: str, path: tuple[str, ...]) -> None:
            service = self.services.get(name)
            if service is None or not service.startable or name in ordered or name in path:
                return
            for needed in (*service.needs, *(other for other in service.depends_on if other in wanted)):
                visit(needed, (*path, name))
            ordered[name] = None

        for name in wanted:
            visit(name, ())
        return tuple(ordered)

    def dependents(self, name: str, among: Iterable[str]) -> tuple[str, ...]:
        """Return those of `among` that need a service, directly or through others."""
        return tuple(other for other in among if other != name and name in self.closure([other]))
