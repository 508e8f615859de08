"""`spark-mode to MODE [PROFILE][:VARIANT]`, and every mode of the lab as a verb of its own."""

from functools import partial
from typing import Any

import click

from spark_mode.cli.completed_by import completed_by
from spark_mode.cli.context import CliOptions
from spark_mode.cli.switching import ADDS, STARTS, carry_out, switch_options
from spark_mode.cli.verb import Verb
from spark_mode.session.known_modes import KnownMode


@click.command(
    cls=Verb,
    examples={
        "to {mode}": "The same as without `to`: for scripts, and for a mode whose name is no word",
        "to {end} --then restore": "Stay, and bring back what ran before when it ends",
    },
)
@click.argument("mode", shell_complete=completed_by("mode"))
@click.argument("profile", required=False, shell_complete=completed_by("profile"))
@switch_options(*ADDS, *STARTS)
@click.option("--then", type=click.Choice(["restore"]), help="For a long run: stay, and bring back what ran before when it ends.")
@click.pass_obj
def to(cli_options: CliOptions, /, mode: str, profile: str | None, **options: Any) -> None:
    """Switch to a MODE of the lab, in one of its profiles: exactly its services of its class; other classes stay.

    What a rule excludes is stopped. `to MODE:VARIANT` runs it in that variant.
    """
    from spark_mode.errors import UsageFault
    from spark_mode.planning.mode import services_of
    from spark_mode.planning.request import to_mode

    session = cli_options.session()
    request = to_mode(session.rules, mode, profile)
    asked = session.rules.modes[request.mode]
    services = services_of(asked, request.profile or asked.choices[0], session.project)
    if options["then"] and not any(session.rules.runs_to_end(session.rules.of_service(one)) for one in services):
        raise UsageFault(f"{request.mode} does not run to its end, so nothing comes after it", "ask without --then")
    carry_out(cli_options, session, request, options)


def verb_of(mode: KnownMode, word: str) -> click.Command:
    """Return a mode as a verb: `word` is how it was called, which may name a variant too."""
    profile = click.Argument(["profile"], required=len(mode.profiles) > 1, shell_complete=completed_by("profile"))
    taken: list[click.Parameter] = [] if set(mode.profiles) <= {mode.name} else [profile]
    taken += [one for one in to.params if isinstance(one, click.Option) and (mode.may_end or one.name != "then")]
    left_out = {"profile", "then"} - {one.name for one in taken}
    called = partial(to.callback, mode=word, **dict.fromkeys(left_out)) if to.callback else None
    asked = " ".join((mode.name, *mode.profiles[: len(mode.profiles) > 1]))
    examples = {
        asked: "Exactly that of its class; what a rule excludes is stopped",
        f"{asked} --dry-run": "What that would stop, and why; changes nothing",
        f"{asked} --hold": "And no other switch stops it, until spark-mode release",
    }
    if mode.may_end:
        examples[f"{asked} --then restore"] = "Stay, and bring back what ran before when it ends"
    return Verb(mode.name, callback=called, params=taken, help=f"{mode.line}; see also `to`.", examples=examples)
