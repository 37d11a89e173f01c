"""What MkDocs does not do by itself: pages out of other files, links to lines, equations, checks.

* README.md, CONTRIBUTING.md, CHANGELOG.md and docs/notebook.ipynb become pages
* `<!-- programs -->`, `<!-- presets -->` and `<!-- api: a b -->` become what programs say
* `[text](code:sgan_tf.models.losses.Binary)` leads to the line of that class or function, on a page
  that shows the file; when it is gone, the build fails
* `$...$` and `$$...$$` become MathML, which browsers show without a script
* a built page that asks another host for anything fails the build
"""

import ast
import configparser
import html
import pathlib
import re
import subprocess
import sys

import nbformat
from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, InclusionLevel
from mkdocs.utils import get_relative_url
from nbconvert import MarkdownExporter

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
NOTEBOOK = "docs/notebook.ipynb"
CODE = re.compile(r"code:([\w.]+)")
SOURCE = """---
search: {{exclude: true}}
---

# `{path}`

``````python linenums="1"
{text}
``````
"""
# What a browser fetches by itself; links are not.
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc(?:set)?=[\"']?(?:https?:)?//[^\s>]*"
    r"|<link\b(?![^>]*rel=[\"']?canonical)[^>]*\bhref=[\"']?(?:https?:)?//[^\s>]*"
    r"|(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\s]*"
)


# Pages out of other files


def on_files(files, config):
    """Adds the pages that are not in docs/."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=moved(text)))
    for path, content in notebook(ROOT / NOTEBOOK).items():
        files.append(File.generated(config, path, content=content))
    pages = [file.content_string for file in files.documentation_pages()]
    for module in sorted({locate(name)[0] for text in pages for name in CODE.findall(text)}):
        text = SOURCE.format(path=module, text=(ROOT / module).read_text(encoding="utf-8"))
        hidden = InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, source_page(module), content=text, inclusion=hidden))
    return files


def moved(text):
    """Returns the text of a page of the project's root as one of docs/."""
    for name, page in {**PAGES, NOTEBOOK: "notebook.md"}.items():
        text = text.replace(f"]({name}", f"]({page}")
    return text.replace("](docs/", "](")


def notebook(path):
    """Returns a notebook as files of the site, `{path: content}`: a page and its pictures."""
    content = nbformat.read(path, as_version=4)
    for cell in content.cells:
        kept = [output for output in cell.get("outputs", []) if output.get("name") != "stderr"]
        cell.update({"outputs": kept} if cell.cell_type == "code" else {})
    text, resources = MarkdownExporter().from_notebook_node(content)
    return {f"{path.stem}.md": text, **resources["outputs"]}


def source_page(module):
    return f"source/{module.removesuffix('.py')}.md"


# What the package says of itself


def on_page_markdown(markdown, page, config, files):
    for name, make in GENERATED.items():
        pattern = re.compile(rf"<!-- {name}(?:: (.*?))? -->", re.S)
        markdown = pattern.sub(lambda match, make=make: make((match[1] or "").split()), markdown)
    return markdown


def programs(_):
    """A section for each program of setup.cfg, with its --help."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options.entry_points"]["console_scripts"].split()
    pairs = zip(lines[::3], lines[2::3])
    return "\n".join(
        f"## {name}\n\n{printed(target.replace('programs:', ''), '--help')}"
        for name, target in pairs
    )


def presets(_):
    return printed("sgan_tf.cli.train", "--list_presets")


def printed(module, *flags):
    """Returns what a program prints, as a block of code."""
    command = [sys.executable, "-m", module, *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise PluginError(f"{module} {' '.join(flags)} failed: {done.stderr}")
    return f"```text\n{done.stdout.rstrip()}\n```\n"


documented = set()


def api(names):
    """Asks mkdocstrings for public names of the package, where they are defined."""
    import sgan_tf

    unknown = set(names) - set(sgan_tf._HOMES)
    if unknown:
        raise PluginError(f"sgan_tf has no public name {', '.join(sorted(unknown))}")
    documented.update(names)
    return "\n".join(f"::: sgan_tf.{sgan_tf._HOMES[name]}.{name}\n" for name in names)


GENERATED = {"programs": programs, "presets": presets, "api": api}


# Links to lines, and equations


def locate(name):
    """Returns `(file, line)` of a class, function, method or table, by its full name.

    Raises:
        PluginError: when there is none.
    """
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        path = pathlib.Path(*parts[:end]).with_suffix(".py")
        if (ROOT / path).is_file():
            return str(path), line_of(ROOT / path, parts[end:], name)
    raise PluginError(f"code:{name}: there is no such module")


def line_of(path, names, wanted):
    body, line = ast.parse(path.read_text(encoding="utf-8")).body, 1
    for name in names:
        found = [node for node in body if name in defined(node)]
        if not found:
            raise PluginError(f"code:{wanted}: {path.relative_to(ROOT)} defines no {name}")
        line, body = found[0].lineno, getattr(found[0], "body", [])
    return line


def defined(node):
    """Returns the names that a statement defines."""
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [node.target.id] if isinstance(node, ast.AnnAssign) else [getattr(node, "name", None)]


def on_page_content(content, page, config, files):
    def link(match):
        module, line = locate(match[1])
        url = files.get_file_from_path(source_page(module)).url
        return f'href="{get_relative_url(url, page.url)}#line-0-{line}"'

    def math(match):
        tag, text = match[1], html.unescape(match[2]).strip()[2:-2]
        return convert(text, display="block" if tag == "div" else "inline")

    content = re.sub(r'href="code:([\w.]+)"', link, content)
    return re.sub(r'<(div|span) class="arithmatex">(.*?)</\1>', math, content, flags=re.S)


# Checks


def on_post_build(config):
    import sgan_tf

    if missing := set(sgan_tf._HOMES) - documented:
        raise PluginError(f"no page documents {', '.join(sorted(missing))}")
    site = pathlib.Path(config.site_dir)
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        if fetched := FETCHED.search(path.read_text(encoding="utf-8")):
            raise PluginError(f"{path.relative_to(site)} asks another host: {fetched[0]}")
