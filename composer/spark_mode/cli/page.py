"""`spark-mode page`: the machine in a browser."""

import os
import pwd
import socket
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spark_mode.cli.best_effort_stream import BestEffortStream
from spark_mode.cli.context import CliOptions, output_options
from spark_mode.errors import ConfigurationError
from spark_mode.own_command import same_command

if TYPE_CHECKING:
    from spark_mode.lab.files import LabFiles
    from spark_mode.page.links import Link
    from spark_mode.page.page_lab import PageLab
    from spark_mode.page.places import Place

NEEDS = ("jinja2", "starlette", "uvicorn")
PORT = 8710
HERE = ("127.0.0.1", "::1", "localhost")
ANOTHER = "spark-mode page link"


@click.command()
@click.argument("action", required=False, type=click.Choice(["link", "install", "uninstall"]))
@click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", help="At which port of this machine alone; else 8710.")
@click.option("--socket", "path", metavar="PATH", type=click.Path(path_type=Path), help="At a socket that you alone may open.")
@click.option("--read-only", is_flag=True, help="Show, and switch nothing.")
@click.option("--behind", metavar="https://NAME", help="The name of a proxy that leads here, such as tailscale serve.")
@click.option("--listen", hidden=True)
@output_options
@click.pass_obj
def page(
    cli_options: CliOptions,
    action: str | None,
    port: int | None,
    path: Path | None,
    read_only: bool,
    behind: str | None,
    listen: str | None,
) -> None:
    """Show the machine in a browser, and switch from there; until Ctrl-C.

    It opens with a link that works once. `link` prints another one for a page that runs. `install` has systemd run it for you
    whenever you are logged in, `uninstall` no more.
    """
    if listen is not None and listen not in HERE:
        message = f"the page listens at no {listen}: whoever may use it is root, so it is reached through this machine alone"
        raise ConfigurationError(message, f"{_tunnel(str(port or 8710))}, or a proxy: --behind https://NAME")
    if port is not None and path is not None:
        raise click.UsageError("give either --port or --socket")
    _require_own()
    from spark_mode.page.places import Place

    named = Place(PORT if port is None else port, path.absolute() if path else None)
    match action:
        case "link":
            _link(cli_options, named if port is not None or path else None, read_only)
        case "install":
            _install(cli_options, named, read_only, behind)
        case "uninstall":
            _uninstall(cli_options)
        case _:
            _run(cli_options, named, read_only, behind)


def _link(cli_options: CliOptions, place: "Place | None", read_only: bool) -> None:
    from spark_mode.page.links import ask_for_link

    link = ask_for_link(place, read_only)
    cli_options.show({"place": link.place, "url": link.url}, lambda: link.url)


def _run(cli_options: CliOptions, place: "Place", read_only: bool, behind: str | None) -> None:
    _require_installed()
    from spark_mode.page.hosts import behind as proxy_of
    from spark_mode.page.running import run

    run(_lab(cli_options), place, proxy_of(behind) if behind else None, read_only, partial(_ready, cli_options))


def _install(cli_options: CliOptions, place: "Place", read_only: bool, behind: str | None) -> None:
    _require_installed()
    from spark_mode.cli.page_unit import install
    from spark_mode.page.hosts import behind as proxy_of

    where = ["--socket", str(place.path)] if place.path else ["--port", str(place.port)]
    name = ["--behind", f"https://{proxy_of(behind)}"] if behind else []
    path = install(_files(cli_options), [*where, *name, *["--read-only"] * read_only])
    cli_options.say({"unit": str(path)}, lambda: installed_text(path, _user()))


def installed_text(unit: Path, user: str) -> str:
    """Return what systemd runs now whenever this user logs in, and what leads on."""
    return "\n".join(
        (
            f"{unit} is in place, and starts the page whenever you log in",
            f"  → a link that opens it: {ANOTHER}",
            f"  → at every boot, too: loginctl enable-linger {user}",
            f"  → how it goes: systemctl --user status {unit.name}",
        )
    )


def _uninstall(cli_options: CliOptions) -> None:
    from spark_mode.cli.page_unit import NAME, uninstall

    said = f"{NAME} is removed" if uninstall() else "no page was installed"
    cli_options.say({"unit": None}, lambda: said)


def _require_own() -> None:
    """Raise ConfigurationError for root by sudo: what it listens at, and its links, would be nobody's who looks for them."""
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "0") != "0" and not os.environ.get("XDG_STATE_HOME"):
        raise ConfigurationError(
            "by sudo the page would be root's, and so would its links", "run it as yourself, or as root: sudo -i"
        )


def _require_installed() -> None:
    if any(find_spec(one) is None for one in NEEDS):
        message = "the page needs packages that are not installed"
        names = " ".join(NEEDS)
        raise ConfigurationError(message, f"with pipx: pipx inject spark-mode {names}; else: pip install {names}")


def _files(cli_options: CliOptions) -> "LabFiles":
    from spark_mode.session.discovery import find_lab, here

    return find_lab(cli_options.flags, os.environ, here())


def _lab(cli_options: CliOptions) -> "PageLab":
    """Return the lab of these options, whose files are looked for at each look. Raises ConfigurationError where there is none."""
    from spark_mode.page.page_lab import PageLab
    from spark_mode.session.opening import open_lab

    folder = Path(_files(cli_options).rules).parent
    return PageLab(lambda: open_lab(_files(cli_options)), (*same_command(), *cli_options.flags.words), str(folder))


def _ready(cli_options: CliOptions, link: "Link") -> None:
    """Say how the page is opened. A link is for eyes: what goes into a file or a log has none."""
    if not BestEffortStream(sys.stdout).isatty():
        cli_options.say({"place": link.place}, lambda: f"the page is at {link.place}, and opens with: spark-mode page link")
        return
    tunnel = _tunnel(link.place)
    cli_options.say({"place": link.place, "url": link.url}, lambda: ready_text(link.url, tunnel))


def ready_text(url: str, tunnel: str) -> str:
    """Return how the page is opened, here and from another machine."""
    another = f"  → opens once, within ten minutes; another one: {ANOTHER}"
    return "\n".join((url, another, f"  → from another machine: {tunnel}"))


def _tunnel(place: str) -> str:
    """Return what to type on another machine, so that a link opens there as here."""
    port, end = (str(PORT), place) if "/" in place else (place, f"127.0.0.1:{place}")
    return f"ssh -L {port}:{end} {_user()}@{socket.gethostname()}"


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
