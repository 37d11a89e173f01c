"""Shows mkdocstrings the examples of docstrings, which stand at the margin, as a section."""

import re

import griffe

EXAMPLE = re.compile(r"^Example:\n\n((?:.*\n?)*)\Z", re.M)


def indented(docstring: str) -> str:
    """Returns a docstring whose last section, `Example:`, is one of Google's style, indented."""

    def section(match):
        lines = [f"    {line}".rstrip() for line in match[1].splitlines()]
        return "\n".join(["Examples:", *lines])

    return EXAMPLE.sub(section, docstring)


class IndentExamples(griffe.Extension):
    """Does that to all that griffe finds."""

    def on_object(self, *, obj, **kwargs):
        if obj.docstring:
            obj.docstring.value = indented(obj.docstring.value)
