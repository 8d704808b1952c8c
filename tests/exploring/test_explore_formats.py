"""Formats in the page's script: animations read back by Pillow, pictures against the library's own convolution."""

from __future__ import annotations

import io
from random import Random
from typing import Any

import numpy as np
import problems
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from port import ask, record

import tconv
from tconv import Axis, Geometry, interpolation

Image = pytest.importorskip("PIL.Image", exc_type=ModuleNotFoundError)
ImageDraw = pytest.importorskip("PIL.ImageDraw", exc_type=ModuleNotFoundError)

Pixels = NDArray[np.uint8]
RNG = np.random.default_rng(11)
BLACK = (0, 0, 0)


# ---- GIF


def frame(pixels: Pixels, delay: int = 10) -> dict[str, Any]:
    """A frame of (rows, columns, 3) as the script takes it."""
    rows, columns = pixels.shape[:2]
    opaque = np.concatenate([pixels, np.full((rows, columns, 1), 255, np.uint8)], -1)
    return {"pixels": opaque.ravel().tolist(), "width": columns, "height": rows, "delay": delay}


def encoded(animations: list[tuple[Any, ...]]) -> list[bytes]:
    """The file of each animation: its frames, and whether it loops."""
    return [bytes(got) for got in ask(["gif", *animation] for animation in animations)]


def decoded(file: bytes) -> Image.Image:
    return Image.open(io.BytesIO(file))


def pictures(file: bytes) -> list[Pixels]:
    gif = decoded(file)
    found = []
    for i in range(getattr(gif, "n_frames", 1)):
        gif.seek(i)
        found.append(np.asarray(gif.convert("RGB")))
    return found


def of_colours(count: int, rows: int, columns: int) -> Pixels:
    """A picture of at most so many colours."""
    colours = RNG.integers(0, 256, (count, 3), np.uint8)
    return colours[RNG.integers(0, count, (rows, columns))]


def changed_somewhere(pixels: Pixels) -> Pixels:
    """The same colours, some of them elsewhere."""
    rows, columns = pixels.shape[:2]
    top, left = RNG.integers(rows), RNG.integers(columns)
    bottom, right = RNG.integers(top, rows) + 1, RNG.integers(left, columns) + 1
    changed = pixels.copy()
    changed[top:bottom, left:right] = pixels[RNG.integers(rows), RNG.integers(columns)]
    return changed


def test_frames_come_back_as_they_were():
    animations, frames = [], []
    for seed in range(60):
        rng = Random(seed)
        rows, columns = rng.choice(((1, 1), (1, 7), (9, 1), (5, 6), (40, 31), (80, 90)))
        of = [of_colours(rng.choice((1, 2, 3, 4, 5, 16, 17, 128, 129, 255, 256)), rows, columns)]
        for _ in range(rng.randrange(5)):
            of.append(rng.choice((of[-1], changed_somewhere(of[-1]), of[0])))
        frames.append(of)
        delays = [rng.choice((2, 3, 50, 256, 65535)) for _ in of]
        animations.append(
            ([frame(pixels, delay) for pixels, delay in zip(of, delays, strict=True)], rng.random() < 0.5)
        )
    for (given, loop), wanted, file in zip(animations, frames, encoded(animations), strict=True):
        assert_array_equal(pictures(file), wanted)
        gif = decoded(file)
        assert gif.info.get("loop") == (0 if loop else None)
        for i, one in enumerate(given):
            gif.seek(i)
            assert gif.info["duration"] == 10 * one["delay"]


def test_codes_grow_through_every_length_and_start_again():
    """Random cells fill the table of codes many times; each prefix ends at another place in it."""
    noise = of_colours(256, 120, 120).reshape(-1, 3)
    few = of_colours(3, 120, 120).reshape(-1, 3)
    sizes = [*range(1, 700, 3), 3837, 3838, 3839, 3840, 3841, 4094, 4096, 14400]
    wanted = [cells[None, :size] for cells in (noise, few) for size in sizes]
    files = encoded([([frame(pixels)],) for pixels in wanted])
    for pixels, file in zip(wanted, files, strict=True):
        assert_array_equal(pictures(file), [pixels])


def test_a_frame_holds_the_rectangle_that_changed_and_no_more():
    first = of_colours(200, 60, 70)
    second = first.copy()
    second[20:23, 31:35] = first[0, 0]
    second[20, 31] = second[22, 34] = (1, 2, 3)
    (file,) = encoded([([frame(first), frame(second), frame(second)],)])
    gif = decoded(file)
    tiles = []
    for i in range(3):
        gif.seek(i)
        tiles.append(gif.tile[0].extents)
    assert tiles == [(0, 0, 70, 60), (31, 20, 35, 23), (0, 0, 1, 1)]


def many_colours() -> dict[str, Pixels]:
    """By name: a few thousand, and so many that those which are nearly alike are taken together."""
    rows, columns = np.mgrid[0:120, 0:160]
    smooth = np.stack([rows * 2, columns, (rows + columns) % 256], -1).astype(np.uint8)
    return {"smooth": smooth, "noise": RNG.integers(0, 256, (200, 220, 3), np.uint8)}


@pytest.mark.parametrize("kind", ["smooth", "noise"])
def test_more_colours_than_a_gif_has_come_near(kind):
    pixels = many_colours()[kind]
    (file,) = encoded([([frame(pixels), frame(pixels[::-1])],)])
    first, second = pictures(file)
    assert len(np.unique(first.reshape(-1, 3), axis=0)) <= 255
    assert_array_equal(second, first[::-1])
    # About as near as what Pillow chooses.
    theirs = np.asarray(Image.fromarray(pixels).quantize(256, Image.Quantize.MEDIANCUT, dither=0).convert("RGB"))
    assert distance(first, pixels) < 1.1 * distance(theirs, pixels)


def distance(one: Pixels, other: Pixels) -> float:
    return np.sqrt(((one.astype(float) - other) ** 2).mean())


@pytest.mark.parametrize("others", [300, 40_000])
def test_flat_colours_stay_as_they_are_beside_many_others(others):
    flat = [(252, 251, 248), (187, 76, 23), (247, 217, 199), (47, 102, 144), (29, 33, 38), (27, 127, 103)]
    cells = np.repeat(np.array(flat, np.uint8), 20_000, 0)
    places = RNG.choice(len(cells), others, replace=False)
    cells[places] = RNG.integers(0, 256, (others, 3))
    (file,) = encoded([([frame(cells.reshape(300, 400, 3))],)])
    got = pictures(file)[0].reshape(-1, 3)
    assert_array_equal(np.delete(got, places, 0), np.delete(cells, places, 0))


def test_an_animation_of_steps_is_small():
    """Nine steps of 640 cells: what pictures of the page hold, flat colours and text with soft edges."""
    frames = []
    for step in range(9):
        image = Image.new("RGB", (640, 360), (252, 251, 248))
        draw = ImageDraw.Draw(image)
        for row in range(4):
            for column in range(16):
                lit = (row + column) % 9 == step
                x, y = 20 + column * 37, 40 + row * 70
                draw.rectangle((x, y, x + 32, y + 50), (47, 102, 144) if lit else (214, 228, 238), (95, 103, 113))
                draw.text((x + 5, y + 14), str(row * column + step * lit), (29, 33, 38), font_size=16)
        frames.append(frame(np.asarray(image), 80))
    (file,) = encoded([(frames,)])
    assert len(pictures(file)) == 9
    assert len(file) < 100_000


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([], "frames must hold at least 1; got none"),
        ([frame(of_colours(2, 2, 3)), frame(of_colours(2, 3, 2))], "frames must be of one size"),
        (
            [{"pixels": [], "width": 0, "height": 5, "delay": 1}],
            "frames must have 1 to 65535 cells along each axis; got 0x5",
        ),
    ],
)
def test_frames_that_are_no_animation_are_refused(frames, reason):
    assert ask([["gif", frames]]) == [{"error": reason}]


# ---- pictures


def taps(axis: Axis, weights: str) -> NDArray[np.float64]:
    """The weights of an axis as the docstrings of the script say them."""
    if weights == "ones":
        return np.full(axis.kernel, axis.stride / axis.kernel)
    triangle = np.maximum(1 - np.abs(np.arange(axis.kernel) - (axis.kernel - 1) / 2) / axis.stride, 0)
    return triangle / np.resize(interpolation.phase_sums(triangle, axis.stride), axis.kernel)


def transposed(picture: NDArray[Any], geometry: Geometry, weights: str) -> NDArray[np.float64]:
    """Each channel of (rows, columns, channels) by the library."""
    w = np.multiply.outer(*(taps(axis, weights) for axis in geometry.axes))
    x = np.ascontiguousarray(np.moveaxis(picture, -1, 0), np.float64)
    w = np.broadcast_to(w, (len(x), 1, *w.shape))
    return np.moveaxis(tconv.conv_transpose(x, w, **geometry.keywords, groups=len(x)), 0, -1)


def random_case(seed: int) -> tuple[Pixels, Geometry, str]:
    rng = Random(seed)
    while True:
        geometry = problems.geometry(rng.choice, (2,))
        weights = rng.choice(("ones", "bilinear"))
        size = rng.choice(((1, 1), (2, 5), (9, 4), (16, 20)))
        if weights == "bilinear" and any(axis.dilation > 1 or axis.kernel < axis.stride for axis in geometry.axes):
            continue
        try:
            on_picture = Geometry.conv_transpose(size, geometry.kernel, **geometry.keywords)
        except ValueError:  # nothing of it is left
            continue
        return RNG.integers(0, 256, (*size, 4), np.uint8), on_picture, weights


def test_a_picture_is_what_the_library_makes_of_it():
    cases = [random_case(seed) for seed in range(200)]
    calls = []
    for pixels, geometry, weights in cases:
        other_size = record(_of_size(geometry, 40))  # the coarse size of a geometry is not that of the picture
        calls.append(["upsample", pixels.ravel().tolist(), pixels.shape[1], pixels.shape[0], other_size, weights])
    for (pixels, geometry, weights), fine in zip(cases, ask(calls), strict=True):
        assert (fine["height"], fine["width"]) == geometry.fine
        result = np.reshape(fine["pixels"], (*geometry.fine, 4))
        exact = transposed(pixels[..., :3], geometry, weights)
        assert_allclose(result[..., :3], np.clip(np.rint(exact), 0, 255), atol=1)
        assert (result[..., 3] == 255).all()


def _of_size(geometry: Geometry, coarse: int) -> Geometry:
    return Geometry.conv_transpose(coarse, geometry.kernel, **geometry.keywords)


@pytest.mark.parametrize("scale", range(1, 9))
def test_bilinear_weights_are_those_of_the_library(scale):
    kernel = interpolation.bilinear_kernel(scale, 1)
    axis = Axis(9, len(kernel), scale, interpolation.upsampling_padding(len(kernel), scale))
    (got,) = ask([["tapsOf", record(Geometry((axis,)))["axes"][0], "bilinear"]])
    assert_allclose(got, kernel, rtol=1e-14)


def test_a_checkerboard_is_what_becomes_of_flat_grey():
    cases = []
    for seed in range(100):
        _, geometry, weights = random_case(seed)
        cases.append((_of_size(geometry, 60), weights))
    got = ask(["checkerboard", record(geometry), weights, 20] for geometry, weights in cases)
    uneven = 0
    for (geometry, weights), board in zip(cases, got, strict=True):
        fine = transposed(np.full((60, 60, 1), 128), geometry, weights)[..., 0]
        # Far from the border, at positions that are whole strides from the first.
        first = [axis.stride * 24 for axis in geometry.axes]
        middle = fine[first[0] : first[0] + 20, first[1] : first[1] + 20]
        assert middle.shape == (20, 20)
        assert_allclose((board["lowest"], board["highest"]), (middle.min(), middle.max()), atol=1e-9)
        spread = np.ptp(middle)
        levels = np.full((20, 20), 128) if spread < 1e-6 else 255 * (middle - middle.min()) / spread
        uneven += spread > 1e-6
        pixels = np.reshape(board["pixels"], (20, 20, 4))
        assert_allclose(pixels[..., :3], np.repeat(levels[..., None], 3, -1), atol=1)
        assert (pixels[..., 3] == 255).all()
    assert 20 < uneven < 80


def test_the_checkerboard_of_three_taps_at_stride_two():
    geometry = Geometry.conv_transpose((4, 4), 3, stride=2, padding=1)
    ones, bilinear = ask([["checkerboard", record(geometry), weights] for weights in ("ones", "bilinear")])
    assert (ones["width"], ones["height"]) == (32, 32)
    # One tap or two along each axis, a mean of 1.5.
    assert_allclose((ones["lowest"], ones["highest"]), (128 / 1.5**2, 128 * 4 / 1.5**2))
    assert (bilinear["lowest"], bilinear["highest"]) == (128, 128)
    assert set(bilinear["pixels"]) == {128, 255}


def test_what_is_no_picture_is_refused():
    up = Geometry.conv_transpose
    calls = [
        ["upsample", [0, 0, 0, 0], 1, 1, record(up(4, 3)), "ones"],
        ["checkerboard", record(up((4, 4, 4), 3)), "ones"],
        ["checkerboard", record(up((4, 4), (4, 2), stride=3)), "bilinear"],
        ["checkerboard", record(up((4, 4), 3, dilation=2)), "bilinear"],
        ["upsample", [0, 0, 0, 0], 1, 1, record(up((9, 9), 3, padding=((1, 1), (2, 1)))), "ones"],
        ["upsample", [], 4000, 3000, record(up((9, 9), 4, stride=2, padding=1)), "ones"],
    ]
    got = [result["error"] for result in ask(calls)]
    with pytest.raises(ValueError) as nothing_left:
        up((1, 1), 3, padding=((1, 1), (2, 1)))
    assert got == [
        "geometry must have 2 axes, as a picture has; got 1",
        "geometry must have 2 axes, as a picture has; got 3",
        "bilinear weights take a dilation of 1 and at least stride = 3 taps; got dilation 1 and kernel 2",
        "bilinear weights take a dilation of 1 and at least stride = 1 taps; got dilation 2 and kernel 3",
        str(nothing_left.value).removeprefix("Geometry.conv_transpose: "),
        "picture must become at most 4194304 cells; 3000x4000 would become 6000x8000",
    ]
