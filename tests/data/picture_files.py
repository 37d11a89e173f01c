"""Folders of images that the tests here make and read."""

import numpy as np
import pytest
from PIL import Image

from sgan_tf.data.folder import read_folder
from sgan_tf.errors import DataError

RED, BLUE = (255, 0, 0), (0, 0, 255)


def fill(folder, count, mode="L"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new(mode, (4, 4), number % 200).save(folder / f"{number}.png")


def wide(path):
    """Red, green, green, blue from left to right."""
    columns = [RED, (0, 255, 0), (0, 255, 0), BLUE]
    Image.fromarray(np.array([columns] * 2, np.uint8).repeat(8, 0).repeat(8, 1)).save(path)


def read_one(tmp_path, write, name="x.png", side=4, **reading):
    """Returns the image `[side, side, C]` that is read from the file that `write(path)` writes."""
    fill(tmp_path / "others", 2)
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / name)
    folder = read_folder(tmp_path, side, **reading)
    (image,) = folder.images[folder.labels == folder.class_names.index("a")]
    return image


def refused(*arguments, **keywords):
    with pytest.raises(DataError) as error:
        read_folder(*arguments, **keywords)
    message = str(error.value)
    assert "\n" not in message and "Traceback" not in message
    return message
