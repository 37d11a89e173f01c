"""Run the benchmarks and write docs/performance.md: the machine, and each table with its command.

    python benchmarks/report.py
    python benchmarks/report.py --parts training,sampling

The last section of the page, the notes, is written by hand and kept. With --parts the other
sections are kept too, if they were measured on this machine. If a benchmark fails, its section
stays as it was. Sections of another machine are removed once a benchmark succeeds.
"""

import ast
import datetime
import os
import pathlib
import subprocess
import sys
import time

from absl import flags

from sgan_tf.cli import app, startup
from sgan_tf.utils.files import write_whole

FLAGS = flags.FLAGS
FOLDER = pathlib.Path(__file__).resolve().parent
# Title and command of each part, in the order of the page.
PARTS = {
    "training": ("Training step against PyTorch", ["training.py"]),
    "sampling": ("Sampling against PyTorch", ["sampling.py"]),
    "stages": (
        "Stages of the presets",
        ["stages.py", "--presets", "digits,mnist,svhn", "--steps", "2"],
    ),
    "scaling": ("Batch size, image size, number of levels", ["scaling.py"]),
    "devices": ("Two logical devices", ["devices.py"]),
    "startup": ("Start", ["startup.py"]),
    "memory": ("Peak memory", ["memory.py"]),
    "bulk": ("Samples in bulk", ["bulk.py", "--models", "digits,svhn"]),
    "serving": ("The embedded server", ["serving.py", "--model", "digits"]),
    "precision": ("Precisions", ["precision.py", "--model", "digits", "--samples", "2000"]),
    "demo": ("The demo", ["demo.py"]),
}
INTRODUCTION = """# Performance

Written by `make bench` (`benchmarks/report.py`), all but the notes at the end. Compare figures of
one section alone: they were measured in one run, in turns."""
MACHINE, NOTES = "Machine", "Notes"
NO_NOTES = "What limits us, and what was tried and did not pay: nothing is noted yet."


def define_flags():
    flags.DEFINE_list("parts", list(PARTS), f"which to run, of {', '.join(PARTS)}")
    flags.DEFINE_string("out", str(FOLDER.parent / "docs" / "performance.md"), "page to write")


def bench():
    unknown = [name for name in FLAGS.parts if name not in PARTS]
    if unknown:
        raise app.UsageError(f"--parts: {unknown[0]} is none of {', '.join(PARTS)}")
    startup.import_tensorflow()
    return write(pathlib.Path(FLAGS.out), {name: PARTS[name] for name in FLAGS.parts})


def write(path: pathlib.Path, parts: dict[str, tuple[str, list[str]]]) -> int:
    """Runs benchmarks, and writes the page after each of them.

    Args:
        path: `pathlib.Path`. The page, which may exist.
        parts: Dictionary `{name: (title, command)}`. The benchmarks to run, entries of `PARTS`.

    Returns:
        Integer. 1 if any of them failed, else 0.

    Raises:
        UsageError: If the page would keep sections of another machine.
    """
    from machine import described
    from measure import table

    sections = read_sections(path.read_text()) if path.exists() else {}
    machine = table(["what", "value"], described())
    kept = sections.keys() - {MACHINE, NOTES} - {title for title, _ in parts.values()}
    if kept and sections.get(MACHINE) != machine:
        raise app.UsageError(
            f"--parts: {path} was measured on another machine, or with other packages; run all "
            "parts, or write to another --out"
        )
    if sections.get(MACHINE) != machine:
        sections = {MACHINE: machine, NOTES: sections.get(NOTES, NO_NOTES)}
    failed = 0
    for name, (title, command) in parts.items():
        print(f"{name} …", file=sys.stderr, flush=True)
        section = run(command)
        if section is None:
            failed = 1
            continue
        sections[title] = section
        write_whole(path, page(sections))
    return failed


def read_sections(text: str) -> dict[str, str]:
    """Splits a page into its sections. The notes may contain headings.

    Args:
        text: String. The page in Markdown.

    Returns:
        Dictionary of strings `{title: text}`.
    """
    before, _, notes = text.partition(f"\n## {NOTES}\n")
    parts = (part.partition("\n") for part in before.split("\n## ")[1:])
    sections = {title: body.strip() for title, _, body in parts}
    return sections | ({NOTES: notes.strip()} if notes else {})


def page(sections: dict[str, str]) -> str:
    """Joins sections into a page. This is the inverse of `read_sections`.

    Args:
        sections: Dictionary of strings `{title: text}`.

    Returns:
        String. The page in Markdown.
    """
    titles = [MACHINE, *(title for title, _ in PARTS.values()), NOTES]
    texts = [f"## {title}\n\n{sections[title]}" for title in titles if title in sections]
    return "\n\n".join([INTRODUCTION, *texts]) + "\n"


def run(command: list[str]) -> str | None:
    """Runs a benchmark in a new process.

    Args:
        command: List of strings. The program and its arguments.

    Returns:
        String. The section: the command, its date and duration, an explanation, and the table. None
        if the benchmark failed; it has printed the error itself.
    """
    load, started, day = os.getloadavg()[0], time.monotonic(), datetime.date.today()
    program, *arguments = command
    process = subprocess.run(
        [sys.executable, str(FOLDER / program), *arguments], stdout=subprocess.PIPE, text=True
    )
    if process.returncode:
        return None
    seconds = time.monotonic() - started
    shown = " ".join(["python", f"benchmarks/{program}", *arguments])
    when = f"`{shown}`: {day}, load average {load:.2f} before, {seconds:.0f} s."
    return "\n\n".join([when, *explanation(program), process.stdout.strip()])


def explanation(program: str) -> list[str]:
    """Returns the paragraphs of a benchmark's docstring that explain its table.

    Args:
        program: String. File name of the benchmark.

    Returns:
        List of strings: all paragraphs but the first and the usage.
    """
    text = ast.get_docstring(ast.parse((FOLDER / program).read_text()))
    return [part for part in text.split("\n\n")[1:] if not part.startswith("    ")]


def main():
    define_flags()
    app.run(bench)


if __name__ == "__main__":
    main()
