"""What a file of whatever kind and shape becomes as an image."""

import numpy as np
import pytest
from picture_files import BLUE, RED, read_one, refused, wide
from PIL import Image, ImageCms

from sgan_tf.data import decoding


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_sixteen_bits_of_grey_scale_by_their_full_range(tmp_path, mode):
    values = np.array([[0, 257 * 60], [32768, 65535]]).astype(np.uint16 if mode != "I" else "i4")
    name = "x.png" if mode == "I;16" else "x.tif"
    image = read_one(tmp_path, lambda path: Image.fromarray(values).save(path), name, side=2)
    np.testing.assert_array_equal(image[..., 0], [[0, 60], [128, 255]])
    assert image.shape == (2, 2, 1)


def test_what_no_range_is_known_of_is_refused(photos):
    Image.fromarray(np.full((4, 4), 70000, np.int32)).save(photos / "cats" / "deep.tif")
    Image.fromarray(np.zeros((4, 4), np.float32)).save(photos / "cats" / "float.tif")
    message = refused(photos, 4)
    assert "2 unreadable images" in message
    assert "deep.tif (pixels outside of 0 to 65535)" in message and "float.tif (floating" in message


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path, ending, orientation):
    upright = np.zeros((32, 32), np.uint8)
    upright[:16, :16], upright[:16, 16:] = 240, 120
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation

    def write(path):
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)

    image = read_one(tmp_path, write, f"x.{ending}", side=2)
    np.testing.assert_allclose(image[..., 0], [[240, 120], [0, 0]], atol=50)  # Lanczos spreads


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("exif", [b"no TIFF", b"II*\0\x08\0\0\0\x09\0\x12\x01"])
def test_damaged_exif_makes_no_image_unreadable_and_no_noise(tmp_path, exif, ending, recwarn):
    def write(path):
        Image.new("RGB", (8, 8), RED).save(path, exif=b"Exif\0\0" + exif)

    image = read_one(tmp_path, write, f"x.{ending}")
    assert image[0, 0, 0] > 240 and not recwarn.list


def test_white_shows_where_an_image_is_transparent(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:, :2] = (255, 0, 0, 255)
    pixels[:, 2:3, 3] = 127
    image = read_one(tmp_path, lambda path: Image.fromarray(pixels).save(path))
    np.testing.assert_allclose(image[0], [RED, RED, [128] * 3, [255] * 3], atol=1)


def test_white_shows_through_palettes_and_grey(tmp_path):
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, *BLUE])
    palette.paste(0, (0, 0, 2, 4))
    image = read_one(tmp_path / "p", lambda path: palette.save(path, transparency=0))
    np.testing.assert_array_equal(image[0], [[255] * 3, [255] * 3, BLUE, BLUE])
    grey = Image.new("LA", (4, 4), (90, 255))
    grey.paste((0, 0), (0, 0, 2, 4))
    image = read_one(tmp_path / "la", grey.save)
    np.testing.assert_array_equal(image[0], [[255], [255], [90], [90]])
    deep = Image.fromarray(np.array([[0, 0, 257, 257]] * 4, np.uint16))
    image = read_one(tmp_path / "deep", lambda path: deep.save(path, transparency=0))
    np.testing.assert_array_equal(image[0], [[255], [255], [1], [1]])


def test_other_colour_spaces_become_rgb(tmp_path):
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    image = read_one(tmp_path / "cmyk", lambda path: cmyk.save(path, quality=95), "x.jpg")
    np.testing.assert_allclose(image[0, 0], RED, atol=6)
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(Image.new("RGB", (4, 4), RED), to_lab)
    np.testing.assert_allclose(read_one(tmp_path / "lab", lab.save, "x.tif")[0, 0], RED, atol=6)


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_of_an_animation_the_first_frame_is_read(tmp_path, ending):
    first, second = (Image.new("RGB", (4, 4), colour) for colour in (RED, BLUE))

    def write(path):
        first.save(path, save_all=True, append_images=[second], lossless=True)

    np.testing.assert_array_equal(read_one(tmp_path, write, f"x.{ending}")[1, 1], RED)


def test_images_get_the_channels_that_networks_take():
    colour = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3), np.uint8)
    grey = decoding.with_channels(colour, 1)
    np.testing.assert_allclose(grey[..., 0], colour @ [0.299, 0.587, 0.114], atol=1)
    assert grey.dtype == np.uint8 and decoding.with_channels(grey, 1) is grey
    np.testing.assert_array_equal(decoding.with_channels(grey, 3), np.repeat(grey, 3, axis=-1))


def test_what_is_not_square_is_cropped_padded_or_squashed(tmp_path):
    green, white = (0, 255, 0), (255, 255, 255)
    crop = read_one(tmp_path / "crop", wide, side=16)
    assert tuple(crop[8, 1]) == tuple(crop[8, -2]) == green
    pad = read_one(tmp_path / "pad", wide, side=32, resize="pad")
    assert tuple(pad[2, 16]) == tuple(pad[-3, 16]) == white and tuple(pad[16, 1]) == RED
    squash = read_one(tmp_path / "squash", wide, side=32, resize="squash")
    assert tuple(squash[0, 1]) == RED and tuple(squash[-1, -2]) == BLUE
    assert (
        refused(tmp_path, 4, resize="stretch") == "`resize`: 'stretch' is none of crop, pad, squash"
    )


def test_a_line_one_pixel_wide_can_be_padded(tmp_path):
    image = read_one(tmp_path, Image.new("L", (1, 1000)).save, side=8, resize="pad")
    assert image[:, 0].min() == 255 and image.min() == 0
