"""What mkdocs asks while it builds the site: README.md is its first page, and links out of docs/ lead to what the site has."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}
"""The pages that lie outside docs/, and what they are on the site."""
RULES = "rules.yaml"
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#]+)(#[^)]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and the files that lie outside docs/."""
    for outside, page in PAGES.items():
        files.append(File.generated(config, page, content=_led(ROOT / outside)))
    files.append(File.generated(config, RULES, abs_src_path=str(ROOT / RULES)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead the links of a page in docs/ that go out of it to where the site has that."""
    return markdown if page.file.src_uri in PAGES.values() else _with_links(markdown, ROOT / "docs")


def _led(page: Path) -> str:
    return _with_links(page.read_text(), page.parent)


def _with_links(text: str, folder: Path) -> str:
    def led(found: re.Match[str]) -> str:
        image, words, link, part = found.groups()
        target = str((folder / link).resolve().relative_to(ROOT))
        if target.startswith("docs/") or target in (*PAGES, RULES):
            return f"{image}[{words}]({PAGES.get(target, target.removeprefix('docs/'))}{part or ''})"
        return words  # it is not on the site

    return _LINK.sub(led, text)
