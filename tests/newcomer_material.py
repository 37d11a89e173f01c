"""What the newcomer of `newcomer.py` has to try: images, damaged folders, and a form for cases."""

import shutil
from typing import NamedTuple

import numpy as np
from PIL import Image
from processes import ROOT

OLD_RUN = (
    ROOT / "tests" / "fixtures" / "v0.1.0" / "run"
)  # finished; it belongs to this project's past


class Case(NamedTuple):
    """Something to try: a program with arguments, and what the answer must name."""

    title: str
    program: str
    arguments: list
    names: str  # a regular expression
    keeps: tuple = ()  # folders of which nothing may change
    code: int = 2
    environment: dict | None = None


def photos(folder):
    """Two classes of images of every kind."""
    rng = np.random.default_rng(0)
    for name, count in (("cats", 12), ("dogs", 12)):
        (folder / name / "more").mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (20 + i, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.{('png', 'jpg', 'webp')[i % 3]}")
    Image.new("I;16", (9, 9), 40000).save(folder / "cats" / "more" / "deep.png")
    Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(folder / "dogs" / "clear.png")
    Image.new("CMYK", (9, 9)).save(folder / "dogs" / "print.jpg")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (30, 9)).save(folder / "dogs" / "turned.jpg", exif=turned)
    (folder / "dogs" / "link.png").symlink_to("nowhere.png")
    (folder / "cats" / "._0.png").write_bytes(b"\x00\x05\x16\x07")  # macOS's
    (folder / "cats" / ".DS_Store").write_bytes(b"x")
    (folder / "cats" / "notes.txt").write_text("to do")
    (folder / "dogs" / "poster.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n")
    (folder / "dogs" / "scan.pdf").write_bytes(b"%PDF-1.4\n")
    return folder


def one_bad(base, folder, name, content):
    """A copy of `photos` with one more file."""
    shutil.copytree(base, folder, symlinks=True)
    (folder / "cats" / name).write_bytes(content)
    return folder


def bomb():
    """A PNG of 60,000 x 60,000 pixels in a few bytes."""
    import struct
    import zlib

    def chunk(kind, data):
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def damaged(base, folder, name, change):
    """A copy of a run of which one file is changed by `change(bytes) -> bytes | None`."""
    shutil.copytree(base, folder)
    path = folder / name
    content = change(path.read_bytes() if path.exists() else b"")
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    return folder


def flipped(at):
    """Changes one byte, `at` a fraction of the file."""

    def change(content):
        place = int(at * len(content))
        return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]

    return change
