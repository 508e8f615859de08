"""Reading the Compose project: Compose resolves its own files, and this asks it for the result.

The three questions (resolved configuration, hashes, version) run at once and can be asked before anything heavy is
imported: a question costs about 100 ms, most of it Compose's own start.
"""

import json
import re
from typing import TYPE_CHECKING

from spark_mode.engine.endless import endless_files, named_files, require_ending
from spark_mode.engine.project_cache import Kept, ProjectCache, inputs_of, may_draw_in
from spark_mode.engine.questions import Answer, ask, collect, end, first_line, hashes_in, understood
from spark_mode.engine.versions import numbers, release
from spark_mode.errors import ConfigurationError
from spark_mode.lab.files import LabFiles

if TYPE_CHECKING:
    import subprocess

    from spark_mode.lab.project import Project

OLDEST_COMPOSE = (2, 36)
_REMOTE = re.compile(r"^(oci|https?|git|ssh)://|^git@|\.git(#|$)|^github\.com/")
_FIX = "correct it; nothing is touched until then"
QUESTIONS = {
    "config": ("--profile", "*", "config", "--format", "json"),
    "hashes": ("--profile", "*", "config", "--hash", "*"),
    "version": ("version", "--short"),
}
ONE_NAME = "is already in use by service"
"""What Compose says of a container_name that two services have."""
OUTLINE = ("--profile", "*", "config", "--no-interpolate", "--no-consistency", "--format", "json")
"""What stands in the files, without anything that has to be resolved; asked as well where they may draw in others."""


class ComposeFiles:
    """The files of one Compose project, behind the engine's socket. `version` is that of Compose, once the files were read."""

    def __init__(self, files: LabFiles, socket: str, cache: ProjectCache | None = None) -> None:
        self.files, self._socket, self._cache = files, socket, cache
        self._kept: Kept | None = None
        self._fault: ConfigurationError | None = None
        self._asked: dict[str, subprocess.Popen[bytes]] = {}
        self.version = ""

    def last_name(self) -> str | None:
        """Return the name that the project had when it could be read last, as far as that was kept."""
        return self._cache.last_name() if self._cache else None

    def prefetch(self) -> None:
        """Ask Compose, without waiting for the answers, unless it is known what they would be.

        Raises ConfigurationError for remote files, EngineUnavailable where there is no `docker` command.
        """
        if self._asked or self._kept:
            return
        if self._cache and (kept := self._cache.find()):
            self._kept = kept
            return
        self._ask()

    def _ask(self) -> None:
        for file in self.files.compose:
            if _REMOTE.search(file):
                raise ConfigurationError(f"{file}: Compose files from elsewhere are not used", "copy it here, and read it first")
        try:
            require_ending(inputs_of(self.files))
        except ConfigurationError as fault:
            self._fault = fault  # a stop goes on without the files
            return
        questions = QUESTIONS | ({"outline": OUTLINE} if may_draw_in(self.files) else {})
        for name, question in questions.items():
            self._asked[name] = ask([*compose_flags(self.files), *question], self._socket)

    def read(self) -> "Project":
        """Return the project.

        Raises ConfigurationError for what Compose says is wrong with the files or itself, and for an answer of another
        form; EngineUnavailable when it does not come in time.
        """
        from spark_mode.lab.project import Project

        self.prefetch()
        if self._kept:
            try:
                found, self.version = Project.model_validate(self._kept.project), self._kept.version
                return found
            except ValueError:  # somebody has written something else there
                self._kept = None
                self._ask()
        if self._fault:
            raise self._fault
        asked, self._asked = self._asked, {}
        answers = collect_ending(asked)
        version = answers["version"].text("Docker Compose is missing", "install docker-compose-plugin")
        self.version = version.strip().removeprefix("v")
        _check_version(self.version)
        first = self.files.compose[0] if self.files.compose else "the Compose files"
        project = self._together(self._despite_names(answers), first)
        if not project.services:
            raise ConfigurationError(f"{first}: has no services", _FIX)
        if self._cache:
            self._cache.keep(self.version, project.model_dump(mode="json"), _named(answers.get("outline")))
        return project

    def _despite_names(self, answers: dict[str, Answer]) -> dict[str, Answer]:
        """Return the answers, with that about services of one name, which Compose gives where it is not to look for such.

        It starts each of them all the same, as long as the other one has no container.
        """
        said = answers["config"].complaint()
        if not said or ONE_NAME not in said:
            return answers
        again = collect({"config": ask([*compose_flags(self.files), *QUESTIONS["config"], "--no-consistency"], self._socket)})
        return answers if again["config"].complaint() else answers | again

    def _together(self, answers: dict[str, Answer], first: str) -> "Project":
        """Return the project as Compose resolves all profiles together, or else each apart."""
        from spark_mode.lab.project_reading import read_project

        flags, compose = compose_flags(self.files), release(self.version)
        try:
            resolved, hashes = answers["config"].text(first, _FIX), hashes_in(answers["hashes"].text(first, _FIX))
        except ConfigurationError as fault:
            from spark_mode.engine.profiles_apart import read_apart

            outline = answers.get("outline") or collect({"outline": ask([*flags, *OUTLINE], self._socket)})["outline"]
            return read_apart(flags, self._socket, compose, outline, fault)
        if "outline" in answers:
            from spark_mode.engine.hashes import hashes_again

            hashes = hashes_again(hashes, resolved, answers["outline"], flags, self._socket)
        return understood(resolved, lambda: read_project(json.loads(resolved), hashes, compose))


def collect_ending(asked: "dict[str, subprocess.Popen[bytes]]") -> dict[str, Answer]:
    """Return the answers; where the outline shows a file that has no end, that is the answer that Compose would never give.

    Raises as `collect` does.
    """
    try:
        answers = collect({name: asked[name] for name in asked if name in ("outline", "version")})
        outline = answers.get("outline")
        if outline and outline.code == 0 and (faults := understood(outline.output, lambda: _endless(outline))):
            refused = Answer(1, "", next(iter(faults.values())))
            return answers | {name: refused for name in asked if name not in answers}
        return answers | collect({name: asked[name] for name in asked if name not in answers})
    finally:
        for one in asked.values():
            end(one)


def _endless(outline: Answer) -> dict[str, str]:
    return endless_files(dict(json.loads(outline.output)["services"]))


def _named(outline: Answer | None) -> list[str] | None:
    """Return the files of variables and labels that the Compose files name, None where they do not tell that alone."""
    if outline is None:
        return []
    if outline.code:
        return None
    services = dict(json.loads(outline.output)["services"])
    paths = dict.fromkeys(one.path for one in named_files(services))
    return [*paths] if all(path.startswith("/") and "$" not in path for path in paths) else None


def compose_flags(files: LabFiles) -> list[str]:
    """Return the options by which Compose is told of the files of a lab."""
    flags = [part for file in files.compose for part in ("--file", file)]
    if files.project_directory:
        flags += ["--project-directory", files.project_directory]
    if files.project_name:
        flags += ["--project-name", files.project_name]
    return flags + [part for file in files.env_files for part in ("--env-file", file)]


def _check_version(text: str) -> None:
    """See that Compose is new enough. A `docker` that is a wrapper may say anything else, or nothing."""
    found = numbers(text)
    if len(found) < 2 or re.search(r"[^!-~]", text):
        message = f"the answer of docker compose version --short is not a version; it begins: {first_line(text)}"
        raise ConfigurationError(message, "see what `docker` is: type docker")
    if found < OLDEST_COMPOSE:
        oldest = ".".join(map(str, OLDEST_COMPOSE))
        raise ConfigurationError(f"Docker Compose is {text}; spark-mode needs {oldest} or later", "update docker-compose-plugin")
