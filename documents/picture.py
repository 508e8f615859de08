"""The picture at the head of README.md: a terminal on a simulated Spark, as an SVG that needs nothing from elsewhere."""

import io

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from documents.spark import ROOT, terminal

FILE = ROOT / "docs/picture.svg"
WIDTH = 96
BEFORE = ("audio chatterbox --with llama3.1:8b", "25 minutes pass")
TYPED = ("spark-mode status", "spark-mode training")
SHAPE = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img" aria-label="spark-mode in a terminal">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: {char_height}px; line-height: {line_height}px
}}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own shape asks for a font from elsewhere."""


def picture() -> str:
    """Return the picture as it is now."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with terminal(WIDTH, colour=True) as here:
        for one in BEFORE:
            here.happens(one)
        for line in TYPED:
            console.print(Text.assemble(("$ ", "bold green"), (line, "bold")))
            console.print(Text.from_ansi(here.type(line).rstrip("\n")))
            console.print()
    return console.export_svg(title="spark-mode", theme=MONOKAI, code_format=SHAPE, unique_id="spark-mode")
