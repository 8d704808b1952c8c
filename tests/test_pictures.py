"""Picture files of every kind, enlarged: what stays as it was, what changes, and what is refused."""

import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import tconv.pictures
from tconv.pictures import enlarge
from tconv.upsample import upsample

Image = pytest.importorskip("PIL.Image", exc_type=ModuleNotFoundError)

RNG = np.random.default_rng(3)


def noise(*shape, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.fixture
def files(tmp_path):
    """Save a picture, enlarge it, and read the result."""

    def run(image, name="in.png", target="out.png", scale=2, kernel="bilinear", **options):
        image.save(tmp_path / name, **options)
        done = enlarge(tmp_path / name, tmp_path / target, scale, kernel)
        with Image.open(tmp_path / target) as result:
            result.load()
            assert result.size == done.target
            return result

    return run


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", ()), ("RGB", (3,)), ("LA", (2,)), ("RGBA", (4,)), ("I;16", ()), ("F", ())]
)
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_greyscale_colour_alpha_and_depth_stay(files, mode, channels, kernel):
    pixels = noise(5, 6, *channels, dtype=np.uint16 if mode == "I;16" else np.uint8)
    pixels = pixels.astype(np.float32) if mode == "F" else pixels
    result = files(Image.fromarray(pixels), "in.tif", "out.tif", kernel=kernel)
    assert (result.mode, result.size) == (mode, (12, 10))
    assert_array_equal(np.asarray(result), upsample(pixels, 2, kernel, alpha=mode.endswith("A")))


@pytest.mark.parametrize(("mode", "becomes"), [("1", "L"), ("P", "RGB"), ("CMYK", "RGB"), ("LAB", "RGB")])
def test_other_modes_become_one_that_can_be_interpolated(files, mode, becomes):
    image = Image.fromarray(noise(5, 6, 3)).convert("RGB")
    image = image.convert(mode) if mode != "LAB" else Image.new("LAB", (6, 5), (50, 3, 7))
    result = files(image, "in.tif")
    assert result.mode == becomes
    with_pillow = np.asarray(image.convert(becomes))
    assert_array_equal(np.asarray(result), upsample(with_pillow, 2))


def test_a_palette_with_transparency_keeps_it(files):
    image = Image.new("P", (3, 2), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    result = files(image, transparency=0)
    assert result.mode == "RGBA"
    assert result.getpixel((0, 0)) == (200, 100, 50, 255)


def test_integers_of_32_bits_keep_their_values(files):
    values = np.array([[0, 70000], [5, 6]], np.int32)
    assert_array_equal(np.asarray(files(Image.fromarray(values), "in.tif", "out.tif", 1)), values.astype(np.float32))
    values = np.array([[0, 60000], [5, 6]], np.int32)
    result = files(Image.fromarray(values), "in.tif", "out.tif", 1)
    assert result.mode == "I;16"
    assert_array_equal(np.asarray(result), values)


def test_the_orientation_of_the_camera_is_applied(files):
    image = Image.fromarray(noise(4, 6, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    result = files(image, kernel="nearest", exif=exif)
    assert result.size == (8, 12)
    assert_array_equal(np.asarray(result)[::2, ::2], np.rot90(np.asarray(image), -1))
    assert not result.getexif()


def test_a_picture_of_an_animation_may_be_asked_for(tmp_path):
    source, target = tmp_path / "in.gif", tmp_path / "out.png"
    frames = [Image.new("L", (5, 4), shade) for shade in (0, 100, 200)]
    frames[0].save(source, save_all=True, append_images=frames[1:])
    for page, shade in ((None, 0), (1, 0), (3, 200)):
        enlarge(source, target, 2, page=page)
        assert (np.asarray(Image.open(target).convert("L")) == shade).all()
    with pytest.raises(ValueError, match=r"^enlarge: page must be an integer of at least 1; got 0$"):
        enlarge(source, target, 2, page=0)


def test_the_colour_profile_is_handed_on(files):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert files(Image.new("RGB", (2, 2)), icc_profile=profile).info["icc_profile"] == profile


def test_progress_counts_the_strips(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["tconv.upsample"], "STRIP", 1)
    Image.new("L", (3, 4)).save(tmp_path / "in.png")
    calls = []
    enlarge(tmp_path / "in.png", tmp_path / "out.png", 2, progress=lambda *call: calls.append(call))
    assert calls == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (
            "out",
            "enlarge: output must end in the extension of a picture format, such as .png, .jpg or .tif; got 'out'",
        ),
        (
            "out.txt",
            "enlarge: output must end in the extension of a picture format, such as .png, .jpg or .tif; got 'out.txt'",
        ),
        ("out.jpg", "enlarge: output must be in a format that holds RGBA pictures, such as .png; got JPEG"),
    ],
)
def test_a_format_that_cannot_hold_the_result_is_refused_before_any_work(tmp_path, monkeypatch, target, text):
    Image.new("RGBA", (2, 2)).save(tmp_path / "in.png")
    monkeypatch.setattr(tconv.pictures, "strips", lambda *_: pytest.fail("work was done"))
    with pytest.raises(ValueError) as caught:
        enlarge(tmp_path / "in.png", tmp_path / target, 2)
    assert str(caught.value) == text
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.parametrize(
    ("mode", "target", "text"),
    [
        *[
            ("I;16", f"out.{form.lower()}", f"a format that holds I;16 pictures, such as .png; got {form}")
            for form in ("GIF", "WEBP", "BMP")
        ],
        *[
            ("F", f"out.{form.lower()}", f"a format that holds F pictures, such as .tif; got {form}")
            for form in ("GIF", "WEBP", "PNG")
        ],
        *[
            ("RGBA", f"out.{form.lower()}", f"a format that holds RGBA pictures, such as .png; got {form}")
            for form in ("BMP", "DIB")
        ],
        ("L", "out.ico", "a format that holds pictures of any size, such as .png; got ICO"),
        ("L", "out.icns", "a format that holds pictures of any size, such as .png; got ICNS"),
    ],
)
def test_a_format_that_would_take_something_away_is_refused(tmp_path, mode, target, text):
    Image.new(mode, (2, 2)).save(tmp_path / "in.tif")
    with pytest.raises(ValueError) as caught:
        enlarge(tmp_path / "in.tif", tmp_path / target, 2)
    assert str(caught.value) == f"enlarge: output must be in {text}"
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


@pytest.mark.parametrize("target", ["out.png", "out.tif", "out.jp2", "out.pgm"])
def test_formats_of_16_bits_keep_them(files, target):
    values = noise(5, 6, dtype=np.uint16)
    options = (Image.fromarray(values), "in.tif", target, 1, "nearest")
    assert_array_equal(np.asarray(files(*options)), values)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_picture_may_become_a_pdf(tmp_path, mode):
    Image.new(mode, (2, 2)).save(tmp_path / "in.png")
    enlarge(tmp_path / "in.png", tmp_path / "out.pdf", 2)
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")


def test_a_folder_is_refused_before_any_work(tmp_path, monkeypatch):
    Image.new("L", (2, 2)).save(tmp_path / "in.png")
    (tmp_path / "out.png").mkdir()
    monkeypatch.setattr(tconv.pictures, "read", lambda _: pytest.fail("work was done"))
    with pytest.raises(IsADirectoryError, match="Is a directory"):
        enlarge(tmp_path / "in.png", tmp_path / "out.png", 2)


def test_an_error_of_the_encoder_names_the_file(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise OSError("encoder error -2")

    Image.new("L", (2, 2)).save(tmp_path / "in.png")
    image = tconv.pictures.read(tmp_path / "in.png")
    monkeypatch.setattr(Image.Image, "save", fails)
    with pytest.raises(OSError) as caught:
        tconv.pictures._write(image, tmp_path / "out.png", "PNG", None)
    assert str(caught.value) == f"{tmp_path / 'out.png'} cannot be written: encoder error -2"


def test_a_format_that_is_too_small_is_refused(tmp_path):
    Image.new("L", (700, 2)).save(tmp_path / "in.png")
    with pytest.raises(ValueError) as caught:
        enlarge(tmp_path / "in.png", tmp_path / "out.jpg", 100)
    assert str(caught.value) == "enlarge: output must have at most 65500 pixels a side as JPEG; it would have 70000x200"


def test_a_result_that_does_not_fit_into_memory_is_for_other_formats(files):
    with pytest.raises(MemoryError) as caught:
        files(Image.new("L", (5, 4)), scale=9_000_000)
    assert str(caught.value).startswith("enlarge: the enlarged picture must fit into memory, ")
    assert str(caught.value).endswith(
        "; it would take 6034970.3 GiB: as .tif or .zarr it is written by bands, where tifffile or zarr is installed"
    )


def test_broken_pictures_are_failures_of_the_file(tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with pytest.raises(OSError) as caught:
        enlarge(text, tmp_path / "out.png", 2)
    assert str(caught.value) == f"{text} is not a picture in a format that Pillow reads"
    cut = tmp_path / "cut.png"
    Image.fromarray(noise(50, 50, 3)).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    with pytest.raises(OSError, match="truncated") as caught:
        enlarge(cut, tmp_path / "out.png", 2)
    assert str(caught.value).startswith(f"{cut} is a broken picture: ")
    with pytest.raises(FileNotFoundError, match="No such folder"):
        enlarge(cut, tmp_path / "nowhere" / "out.png", 2)
    assert not (tmp_path / "out.png").exists()
