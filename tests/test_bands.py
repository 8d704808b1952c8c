"""Pictures that are read and written by bands: as enlarged whole, bounded in memory, and whole files or none."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks.memory import peak
from tconv import bands
from tconv.pictures import enlarge
from tconv.upsample import upsample

tifffile = pytest.importorskip("tifffile", exc_type=ModuleNotFoundError)
zarr = pytest.importorskip("zarr", exc_type=ModuleNotFoundError)
#: The module by its name: `tconv.upsample` may be the function.
UPSAMPLE = sys.modules["tconv.upsample"]

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def narrow_strips(monkeypatch):
    """Strips of a few rows, that begin anywhere in a band."""
    monkeypatch.setattr(UPSAMPLE, "STRIP", 6_000)


def tiled(path, pixels, **options):
    given = {"photometric": "rgb" if pixels.ndim == 3 else "minisblack", "tile": (32, 48), **options}
    tifffile.imwrite(path, pixels, compression="zlib", **given)
    return path


def stored(path, pixels, **options):
    array = zarr.create_array(
        path, shape=pixels.shape, dtype=pixels.dtype, **{"chunks": (30, 50, *pixels.shape[2:]), **options}
    )
    array[:] = pixels
    return path


def opened(path, page=None):
    """What is found out about a file that is read by bands, and closed again; None for one of Pillow's."""
    found = bands.opened(path, page)
    if found is not None:
        found.close()
    return found


def content(path):
    return zarr.open_array(path, mode="r")[:] if path.suffix == ".zarr" else tifffile.imread(path)


PIXELS = {
    "grey": RNG.integers(0, 256, (130, 90), np.uint8),
    "colours": RNG.integers(0, 256, (100, 70, 3), np.uint8),
    "16 bits": RNG.integers(0, 65536, (70, 300, 3), np.uint16),
    "floats": RNG.normal(size=(64, 48)).astype(np.float32),
    "a row": RNG.integers(0, 256, (1, 500), np.uint8),
    "two channels": RNG.normal(size=(40, 33, 2)),
}


@pytest.mark.parametrize("target", ["out.tif", "out.zarr"])
@pytest.mark.parametrize("make", [tiled, stored])
@pytest.mark.parametrize("name", PIXELS)
def test_bands_do_not_show(tmp_path, name, make, target):
    pixels = PIXELS[name]
    source = tmp_path / ("in.tif" if make is tiled else "in.zarr")
    if make is tiled and name == "two channels":
        tiled(source, pixels, photometric="minisblack", planarconfig="contig", extrasamples=["unspecified"])
    else:
        make(source, pixels)
    seen = []
    done = enlarge(source, tmp_path / target, 3, "bicubic", progress=lambda *counts: seen.append(counts))
    found = content(tmp_path / target)
    assert found.dtype == pixels.dtype
    np.testing.assert_array_equal(found, upsample(pixels, 3, "bicubic"))
    assert seen[0] == (0, done.strips)
    assert seen[-1] == (done.strips, done.strips)
    assert (done.source, done.target) == (pixels.shape[1::-1], tuple(3 * n for n in pixels.shape[1::-1]))


def test_shards_are_bands(tmp_path):
    pixels = PIXELS["grey"]
    stored(tmp_path / "in.zarr", pixels, chunks=(8, 8), shards=(32, 32))
    assert opened(tmp_path / "in.zarr")._height == 32
    enlarge(tmp_path / "in.zarr", tmp_path / "out.zarr", 2)
    np.testing.assert_array_equal(content(tmp_path / "out.zarr"), upsample(pixels, 2))


def test_each_band_is_read_once(tmp_path):
    given = opened(stored(tmp_path / "in.zarr", PIXELS["grey"]))
    read, seen = given._read, []
    given._read = lambda *ends: seen.append(ends) or read(*ends)
    plan, weights = UPSAMPLE.planned_by_strips(given, 2, "bicubic")
    found = np.concatenate([strip for _, strip in UPSAMPLE.strips(given, plan, weights)])
    np.testing.assert_array_equal(found, upsample(PIXELS["grey"], 2, "bicubic"))
    assert seen == [(0, 30), (30, 60), (60, 90), (90, 120), (120, 130)]
    assert plan.strips > 5


def test_opacity_and_the_profile_stay(tmp_path):
    pixels = RNG.integers(0, 256, (64, 80, 4), np.uint8)
    tiled(tmp_path / "in.tif", pixels, extrasamples=["unassalpha"], iccprofile=b"colours of mine")
    assert enlarge(tmp_path / "in.tif", tmp_path / "out.tif", 2).mode == "RGBA"
    np.testing.assert_array_equal(content(tmp_path / "out.tif"), upsample(pixels, 2, alpha=True))
    again = opened(tmp_path / "out.tif")
    assert (again.alpha, again.profile) == (True, b"colours of mine")


def test_from_pillow_to_zarr_and_back(tmp_path):
    pixels = PIXELS["colours"]
    Image.fromarray(pixels).save(tmp_path / "in.png")
    enlarge(tmp_path / "in.png", tmp_path / "out.zarr", 2)
    np.testing.assert_array_equal(content(tmp_path / "out.zarr"), upsample(pixels, 2))
    enlarge(tmp_path / "out.zarr", tmp_path / "back.png", 1, "nearest")
    with Image.open(tmp_path / "back.png") as image:
        np.testing.assert_array_equal(np.asarray(image), upsample(pixels, 2))


def test_large_results_are_written_by_bands(tmp_path, monkeypatch):
    Image.fromarray(PIXELS["grey"]).save(tmp_path / "in.png")
    enlarge(tmp_path / "in.png", tmp_path / "out.tif", 2)
    assert opened(tmp_path / "out.tif") is None  # Pillow's strips
    monkeypatch.setattr(bands, "LARGE", 1000)
    enlarge(tmp_path / "in.png", tmp_path / "out.tif", 2)
    assert opened(tmp_path / "out.tif")._height == bands.TILE
    np.testing.assert_array_equal(content(tmp_path / "out.tif"), upsample(PIXELS["grey"], 2))


@pytest.mark.parametrize("orientation", [1, 6])
def test_what_is_turned_is_for_pillow(tmp_path, orientation):
    tiled(tmp_path / "in.tif", PIXELS["grey"], extratags=[(274, "H", 1, orientation, True)])
    assert (opened(tmp_path / "in.tif") is None) == (orientation == 6)


def test_a_format_of_pillow_must_hold_the_channels(tmp_path):
    stored(tmp_path / "in.zarr", PIXELS["two channels"])
    with pytest.raises(ValueError) as caught:
        enlarge(tmp_path / "in.zarr", tmp_path / "out.png", 2)
    assert str(caught.value) == (
        "enlarge: output must be in a format that holds float64, 2 channels pictures, such as .tif; got PNG"
    )


@pytest.mark.parametrize("suffix", [".tif", ".zarr", ".png"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_leaves_what_was_there(tmp_path, suffix, error):
    source, target = stored(tmp_path / "in.zarr", PIXELS["colours"]), tmp_path / f"out{suffix}"
    enlarge(source, target, 1)
    before = sorted(tmp_path.rglob("*"))

    def interrupt(done, total):
        if done == 2:
            raise error

    with pytest.raises(error):
        enlarge(source, target, 3, progress=interrupt)
    assert sorted(tmp_path.rglob("*")) == before
    enlarge(source, target, 3)  # and replaces it
    found = np.asarray(Image.open(target)) if suffix == ".png" else content(target)
    np.testing.assert_array_equal(found, upsample(PIXELS["colours"], 3))


def test_the_limit_of_pixels(tmp_path, monkeypatch):
    Image.fromarray(PIXELS["grey"]).save(tmp_path / "in.png")
    stored(tmp_path / "in.zarr", PIXELS["grey"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    for name in ("in.png", "in.zarr"):
        with pytest.raises(OSError) as caught:
            enlarge(tmp_path / name, tmp_path / "out.tif", 2, max_pixels=10_000)
        assert str(caught.value) == f"{tmp_path / name} is too large: 90x130 pixels, and --max-pixels allows for 10000"
    with pytest.raises(OSError, match=r"--max-pixels allows for more, if you trust it$"):
        enlarge(tmp_path / "in.png", tmp_path / "out.tif", 2)
    assert enlarge(tmp_path / "in.png", tmp_path / "out.png", 2, max_pixels=90 * 130).target == (180, 260)
    assert Image.MAX_IMAGE_PIXELS == 5000
    enlarge(tmp_path / "in.zarr", tmp_path / "out.zarr", 2)


def test_what_is_no_picture(tmp_path):
    zarr.create_group(tmp_path / "group.zarr")
    with pytest.raises(OSError, match=r"group\.zarr holds no array of Zarr: "):
        enlarge(tmp_path / "group.zarr", tmp_path / "out.tif", 2)
    stored(tmp_path / "in.zarr", np.ones((3, 4), np.int32))
    with pytest.raises(OSError, match=r"must hold \(rows, columns\) or .* float64; it has int32 of shape \(3, 4\)$"):
        enlarge(tmp_path / "in.zarr", tmp_path / "out.tif", 2)
    whole = tiled(tmp_path / "whole.tif", PIXELS["colours"]).read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[:9000] + bytes(len(whole) - 9000))
    with pytest.raises(OSError, match=r"cut\.tif"):
        enlarge(tmp_path / "cut.tif", tmp_path / "out.tif", 2)


@pytest.mark.parametrize("version", [2, 3])
def test_only_arrays_of_zarr_are_replaced(tmp_path, version):
    stored(tmp_path / "in.zarr", PIXELS["grey"])
    (tmp_path / "folder.zarr").mkdir()
    stored(tmp_path / "group.zarr" / "inside", PIXELS["grey"], zarr_format=version)
    zarr.open_group(tmp_path / "group.zarr", mode="a", zarr_format=version)
    before = sorted(tmp_path.rglob("*"))
    for name in ("folder", "group"):
        with pytest.raises(FileExistsError, match=rf"Is no array of Zarr, which could be replaced: .*{name}\.zarr"):
            enlarge(tmp_path / "in.zarr", tmp_path / f"{name}.zarr", 2)
    assert sorted(tmp_path.rglob("*")) == before
    enlarge(tmp_path / "in.zarr", stored(tmp_path / "out.zarr", PIXELS["grey"], zarr_format=version), 2)
    np.testing.assert_array_equal(content(tmp_path / "out.zarr"), upsample(PIXELS["grey"], 2))


@pytest.mark.parametrize("tile", [(32, 48), None], ids=["by bands", "by Pillow"])
def test_a_page_of_several_is_asked_for(tmp_path, tile):
    source, pages = tmp_path / "in.tif", RNG.integers(0, 256, (3, 40, 50), np.uint8)
    tifffile.imwrite(source, pages, photometric="minisblack", tile=tile)
    assert (opened(source, 2) is None) == (tile is None)
    for page in (1, 2, 3):
        enlarge(source, tmp_path / "out.png", 2, page=page)
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), upsample(pages[page - 1], 2))
    for page, reason in ((None, "3 pages; --page says which one, from 1 on"), (4, "3 pages; --page is 4")):
        with pytest.raises(OSError) as caught:
            enlarge(source, tmp_path / "none.png", 2, page=page)
        assert str(caught.value) == f"{source} has {reason}"
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize("tile", [(32, 48), None], ids=["by bands", "by Pillow"])
def test_smaller_copies_are_no_pages(tmp_path, tile):
    """As files for maps and microscopes have them, to be looked at from afar."""
    source, pixels = tmp_path / "in.tif", PIXELS["grey"]
    with tifffile.TiffWriter(source) as file:
        file.write(pixels[::2, ::2], photometric="minisblack", tile=tile, subfiletype=1)
        file.write(pixels, photometric="minisblack", tile=tile)
    enlarge(source, tmp_path / "out.png", 2)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), upsample(pixels, 2))


def test_files_that_hold_one_picture_have_one_page(tmp_path):
    source = stored(tmp_path / "in.zarr", PIXELS["grey"])
    enlarge(source, tmp_path / "out.png", 1, page=1)
    for path in (source, tmp_path / "out.png"):
        with pytest.raises(OSError) as caught:
            enlarge(path, tmp_path / "none.png", 1, page=2)
        assert str(caught.value) == f"{path} has 1 page; --page is 2"


def test_integers_of_32_bits_have_the_sign_that_the_file_says(tmp_path):
    for pixels in (np.array([[7, 2**32 - 2**9]], np.uint32), np.array([[7, -(2**31)]], np.int32)):
        tifffile.imwrite(tmp_path / "in.tif", pixels)
        enlarge(tmp_path / "in.tif", tmp_path / "out.zarr", 1)
        np.testing.assert_array_equal(content(tmp_path / "out.zarr"), pixels.astype(np.float32))


@pytest.mark.parametrize("name", ["16 bits", "two channels"])
def test_small_tiff_files_keep_what_pillow_would_not(tmp_path, name):
    """In strips, as most programs write them: Pillow reads the high 8 bits of colours, and no float64."""
    colours = {"photometric": "rgb"} if name == "16 bits" else {"photometric": "minisblack", "planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "in.tif", PIXELS[name], rowsperstrip=7, **colours)
    enlarge(tmp_path / "in.tif", tmp_path / "out.tif", 2)
    np.testing.assert_array_equal(content(tmp_path / "out.tif"), upsample(PIXELS[name], 2))


CHILD = (
    inspect.getsource(peak)
    + """
import sys, numpy as np, zarr
from pathlib import Path
from tconv.pictures import enlarge

folder = Path(sys.argv[1])
source = zarr.create_array(folder / "in.zarr", shape=(4000, 8000), chunks=(256, 256), dtype="uint8")
for first in range(0, 4000, 256):
    source[first : first + 256] = first // 256
enlarge(folder / "in.zarr", folder / "small.tif", 1)
before = peak()
enlarge(folder / "in.zarr", folder / "out.tif", 3)
print(peak() - before)
"""
)


@pytest.mark.skipif(sys.platform != "linux", reason="bytes are counted otherwise elsewhere")
def test_memory_is_that_of_bands(tmp_path):
    """A result of 288 MB."""
    command = [sys.executable, "-W", "error", "-c", CHILD, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100e6
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].shape == (12000, 24000)
