"""Help whose words stay whole: click breaks a line at any hyphen, so that `--no-restore` or stand-ins would fall apart."""

from collections.abc import Iterable

import click

HYPHEN, UNBREAKABLE = "-", "\N{NON-BREAKING HYPHEN}"


class WholeWords(click.HelpFormatter):
    """Writes paragraphs and lists with hyphens at which no line is broken, and gives them back as they were."""

    def write_text(self, text: str) -> None:
        super().write_text(text.replace(HYPHEN, UNBREAKABLE))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        whole = [(first, second.replace(HYPHEN, UNBREAKABLE)) for first, second in rows]
        super().write_dl(whole, col_max, col_spacing)

    def getvalue(self) -> str:
        return super().getvalue().replace(UNBREAKABLE, HYPHEN)
