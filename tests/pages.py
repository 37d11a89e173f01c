"""The pages whose commands and Python are tried, and the blocks that they hold."""

import re
from typing import NamedTuple

from markdown_it import MarkdownIt
from processes import ROOT

PAGES = [
    *("README.md", "docs/install.md"),
    *(
        str(path.relative_to(ROOT))
        for folder in ("tutorials", "howto")
        for path in sorted((ROOT / "docs" / folder).glob("*.md"))
    ),
]
MARK = re.compile(r"<!-- (not run: .{10,}|in the background) -->")


class Block(NamedTuple):
    """A block of code.

    Attributes:
        language: `bash`, `python` or another.
        text: What stands in it.
        line: Number of its first line in the page.
        mark: What a comment right before it says: "not run: " and why, "in the background", or "".
    """

    language: str
    text: str
    line: int
    mark: str


def blocks(page: str) -> list[Block]:
    """Returns the blocks of a page, a path from the project's root."""
    tokens = MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8"))
    found = []
    for before, token in zip([None, *tokens], tokens):
        if token.type == "fence":
            comment = before is not None and before.type == "html_block"
            mark = MARK.fullmatch(before.content.strip()) if comment else None
            line = token.map[0] + 2
            found.append(Block(token.info, token.content, line, mark[1] if mark else ""))
    return found
