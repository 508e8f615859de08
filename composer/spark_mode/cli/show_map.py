"""The map as a card of text: fits 80 columns, needs no colour."""

from collections.abc import Iterator
from textwrap import wrap

from spark_mode.lab.size import gb_text
from spark_mode.planning.mode import mode_said
from spark_mode.readable import readable
from spark_mode.reporting.resources import Resources

LEADER = 34
"""Where the values begin."""


def map_text(seen: Resources, width: int) -> str:
    """Return the card, exactly `width` columns wide."""
    inner = width - 4
    lines = [f"┌{'─' * (width - 2)}┐", _row(f"{seen.machine}: RESOURCE MAP".center(inner), inner), f"├{'─' * (width - 2)}┤"]
    for line in _lines(seen, inner):
        lines += [_row(part, inner) for part in _wrapped(line, inner)]
    return "\n".join([*lines, f"└{'─' * (width - 2)}┘"])


def _row(text: str, inner: int) -> str:
    return f"│ {readable(text):<{inner}} │"


def _wrapped(line: str, inner: int) -> list[str]:
    """Break a line at words; what follows is indented like its text."""
    if len(line) <= inner:
        return [line]
    indent = len(line) - len(line.lstrip(" │├└─"))
    hanging = ("│" if line.startswith(("│", "├")) else " ") + " " * (indent - 1 if indent else 3)
    return wrap(line, inner, subsequent_indent=hanging, break_long_words=True)


def _lines(seen: Resources, inner: int) -> Iterator[str]:
    total, available = seen.memory.total, seen.memory.available
    here = "" if total is None or available is None else f"; here {available / 10**9:.1f} of {gb_text(total)} are available"
    yield f"MEMORY ({gb_text(seen.capacity)} for CPU and GPU{here})"
    yield from _bar(seen, inner)
    yield _leader("├── system overhead", f"{gb_text(seen.system)}, and {gb_text(seen.per_class)} for each class")
    yield _leader("├── kept free, always", f"{gb_text(seen.headroom)}, the headroom")
    if caches := seen.facts.get("KV cache headroom"):
        yield _leader("├── for KV caches", f"{caches}, which loaded models take while they answer")
    if models := seen.facts.get("available for models"):
        yield _leader("├── available for models", models)
    yield "│"
    yield f"├── runs now: {mode_said(seen.mode)}"
    for one in seen.running:
        yield _leader(f"│   {one.name}", gb_text(one.planned))
    if seen.running:
        declared = seen.overhead + sum(one.planned for one in seen.running)
        yield _leader("│   with its overhead", gb_text(declared))
    yield "│"
    yield from _additions(seen)
    if seen.sharing or seen.gpu.is_known:
        yield ""
        yield f"COMPUTE ({seen.facts['GPU']})" if "GPU" in seen.facts else "COMPUTE"
    if seen.gpu.is_known:
        yield _leader("├── the GPU now" if seen.sharing else "└── the GPU now", str(seen.gpu))
    for number, rule in enumerate(seen.sharing, 1):
        branch = "└──" if number == len(seen.sharing) else "├──"
        yield f"{branch} {rule.who}: {rule.how}"
        yield f"{' ' if number == len(seen.sharing) else '│'}     {rule.because}" + (f"; {rule.advice}" if rule.advice else "")
    bandwidth, speed = seen.facts.get("memory bandwidth"), seen.facts.get("decode speed")
    if bandwidth or speed:
        yield ""
        yield f"BANDWIDTH ({bandwidth})" if bandwidth else "BANDWIDTH"
        yield "└── decode reads all weights for each token" + (f": {speed}" if speed else "")


def _bar(seen: Resources, inner: int) -> Iterator[str]:
    """Draw the machine's memory: # in use, = planned and not yet in use, . available."""
    total, available = seen.memory.total, seen.memory.available
    if total is None or available is None:
        return
    size = inner - 2
    used = round(size * (total - available) / total)
    planned = sum(one.planned for one in seen.running) + (seen.overhead if seen.running else 0)
    ahead = max(0, min(size, round(size * planned / total)) - used)
    yield f"[{'#' * used}{'=' * ahead}{'.' * (size - used - ahead)}]"
    yield "# in use   = planned and not in use yet   . available"


def _additions(seen: Resources) -> Iterator[str]:
    if not seen.addable:
        yield "└── nothing can be added now" if seen.mode != "unknown" else "└── no engine answers: what runs is not known"
        return
    free = [one for one in seen.addable if not one.stops]
    yield "├── could be added now" if free else "├── nothing can be added without stopping something"
    for one in free:
        yield _leader(f"│   {one.name}", f"+{gb_text(one.planned)}  {one.verdict}")
    costs: dict[tuple[str, ...], list[str]] = {}
    for one in seen.addable:
        if one.stops:
            costs.setdefault(one.stops, []).append(one.name)
    yield "└── and with a stop" if costs else "└── that is all there is" if free else "└── nothing else fits"
    for stops, names in costs.items():
        yield f"    {', '.join(names)}: stops {', '.join(stops)}"


def _leader(name: str, value: str) -> str:
    return f"{name} {'.' * max(2, LEADER - len(name) - 2)} {value}"
