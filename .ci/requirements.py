"""Write what setup.cfg declares as requirements files, which is what deptry reads.

    python .ci/requirements.py FOLDER

Writes FOLDER/user.txt (install_requires and the extras that users choose from) and FOLDER/dev.txt
(the extras of developers, `dev`, `docs` and `bench`).
"""

import configparser
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def declared(setup):
    """Returns `(what users install, what developers add)`, lists of requirements.

    Args:
        setup: A `configparser` holding setup.cfg.
    """
    name = setup["metadata"]["name"]
    extras = {
        extra: [line for line in text.split("\n") if line and not line.startswith(f"{name}[")]
        for extra, text in setup["options.extras_require"].items()
    }
    dev = extras.pop("dev") + extras.pop("docs") + extras.pop("bench")
    core = [line for line in setup["options"]["install_requires"].split("\n") if line]
    return [*core, *sum(extras.values(), [])], dev


def main():
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    folder = pathlib.Path(sys.argv[1])
    for file, lines in zip(("user.txt", "dev.txt"), declared(setup)):
        (folder / file).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
