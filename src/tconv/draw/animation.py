"""The steps of a view one after the other: GIF, APNG, or MP4 through ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tconv.draw.raster import pixels
from tconv.draw.sheet import Item, Rect, Sheet
from tconv.draw.themes import Theme

#: Frames, at most: of more steps as many are taken, evenly.
MOST = 60
#: How many times as long as others the last frame is held.
HELD = 3
#: Colours of a GIF, and how many of them are taken as they are: those of the theme, then the most frequent ones.
COLOURS, EXACT = 64, 32
#: Frames that colours are counted in, at most.
COUNTED = 5


def taken(steps: int, most: int = MOST) -> list[int]:
    """The steps that become frames: all, or so many of them evenly, the first and the last among them."""
    if steps <= most:
        return list(range(steps))
    return [number * (steps - 1) // (most - 1) for number in range(most)]


def encoded(
    sheets: list[Sheet], theme: Theme, form: str, width: int, seconds: float,
    progress: Callable[[int, int], None] | None = None,
) -> bytes:  # fmt: skip
    """A file of the form gif, png, apng or mp4, with a frame for each sheet."""
    sheets = equally_high(sheets)
    if form == "mp4":
        program = _ffmpeg()
        return _by_ffmpeg(program, _frames(sheets, theme, width, progress), seconds)
    frames = _frames(sheets, theme, width, progress)
    options: dict[str, object] = {}
    if form == "gif":
        some = [sheets[number] for number in taken(len(sheets), COUNTED)]
        palette = common_palette([pixels(sheet, theme, width) for sheet in some], theme)
        first, *others = [in_palette(frame, palette) for frame in frames]
        options = {"disposal": 1, "optimize": True}  # what stays as it was is left out
    else:
        first, *others = [Image.fromarray(frame) for frame in frames]
    shown = [round(1000 * seconds)] * (len(sheets) - 1) + [round(1000 * seconds * HELD)]
    file = BytesIO()
    first.save(
        file, format="GIF" if form == "gif" else "PNG", save_all=True, append_images=others,
        duration=shown if len(shown) > 1 else shown[0], loop=0, **options,
    )  # fmt: skip
    return file.getvalue()


def equally_high(sheets: list[Sheet]) -> list[Sheet]:
    """Sheets as high as the highest; the ticks of the progress stay at the foot."""
    high = max(sheet.height for sheet in sheets)
    return [replace(sheet, height=high, items=_lowered(sheet, high - sheet.height)) for sheet in sheets]


def _lowered(sheet: Sheet, by: float) -> tuple[Item, ...]:
    ground, *items = sheet.items
    ticks = {item: replace(item, y=item.y + by) for item in items if isinstance(item, Rect) and "tick" in item.role}
    whole = replace(ground, h=sheet.height + by) if isinstance(ground, Rect) else ground
    return (whole, *(ticks.get(item, item) if isinstance(item, Rect) else item for item in items))


def common_palette(frames: list[NDArray[np.uint8]], theme: Theme) -> NDArray[np.uint8]:
    """(COLOURS or fewer, 3): what all frames are painted in, so that nothing flickers.

    Flat areas and the middle of letters keep their colours; edges take those between.
    """
    numbers, counts = np.unique(np.concatenate([_packed(frame) for frame in frames]), return_counts=True)
    named = np.isin(numbers, [int(colour[1:], 16) for colour in _colours(theme)])
    order = np.lexsort((-counts, ~named))
    kept, rare = order[:EXACT], order[EXACT:]
    if not len(rare):
        return _unpacked(numbers[kept])
    others = _unpacked(np.repeat(numbers[rare], counts[rare]))
    between = Image.fromarray(others[None]).quantize(COLOURS - EXACT, dither=Image.Dither.NONE).getpalette()
    return np.concatenate([_unpacked(numbers[kept]), np.array(between, np.uint8).reshape(-1, 3)[: COLOURS - EXACT]])


def _colours(theme: Theme) -> set[str]:
    values = [getattr(theme, field.name) for field in fields(theme)]
    return {colour for value in values for colour in ((value,) if isinstance(value, str) else value)}


def in_palette(frame: NDArray[np.uint8], palette: NDArray[np.uint8]) -> Image.Image:
    """A frame in the nearest colours. Pillow's own search is coarse, and changes colours that the palette has."""
    numbers, where = np.unique(_packed(frame), return_inverse=True)
    distances = ((_unpacked(numbers)[:, None].astype(np.int32) - palette) ** 2).sum(axis=-1)
    picture = Image.fromarray(distances.argmin(axis=-1).astype(np.uint8)[where].reshape(frame.shape[:2]))
    picture.putpalette(palette.tobytes())
    return picture


def _packed(frame: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """A number for each pixel."""
    numbers: NDArray[np.uint32] = (frame.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)).ravel()
    return numbers


def _unpacked(numbers: NDArray[np.uint32]) -> NDArray[np.uint8]:
    return np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], axis=-1).astype(np.uint8)


def _frames(
    sheets: list[Sheet], theme: Theme, width: int, progress: Callable[[int, int], None] | None
) -> Iterator[NDArray[np.uint8]]:
    """The pixels of each, painted as they are asked for: no more than one of them is in memory."""
    for number, sheet in enumerate(sheets, 1):
        yield pixels(sheet, theme, width)
        if progress is not None:
            progress(number, len(sheets))


def _ffmpeg() -> str:
    """Where it is; asked before anything is painted."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise FileNotFoundError(
            "MP4 needs the program ffmpeg on the PATH: install it (apt install ffmpeg, brew install ffmpeg, winget "
            "install ffmpeg), or write .gif or .apng, which need none"
        )
    return program


def _by_ffmpeg(program: str, frames: Iterator[NDArray[np.uint8]], seconds: float) -> bytes:
    """Frames through a pipe; the last is held longer."""
    first = _even(next(frames))
    high, wide = first.shape[:2]
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{wide}x{high}", "-r", str(1 / seconds), "-i", "-"]
    made = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-r", "25", "-movflags", "+faststart"]
    with TemporaryDirectory() as folder:
        target = Path(folder) / "animation.mp4"
        command = [program, "-y", "-loglevel", "error", *given, *made, str(target)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            said = _fed(running, first, frames)
        if running.returncode or not target.exists():
            raise OSError(
                f"ffmpeg could not write the animation: {said.strip() or f'it ended with {running.returncode}'}"
            )
        return target.read_bytes()


def _fed(running: subprocess.Popen[bytes], frame: NDArray[np.uint8], frames: Iterator[NDArray[np.uint8]]) -> str:
    """Give a program the frames; what it complains of."""
    assert running.stdin is not None
    try:
        running.stdin.write(frame.tobytes())
        for following in frames:
            frame = _even(following)
            running.stdin.write(frame.tobytes())
        last = frame.tobytes() * (HELD - 1)
    except BrokenPipeError:  # it ended early, and has said why
        last = b""
    return running.communicate(last)[1].decode(errors="replace")


def _even(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame with an even number of rows and columns, as the codec needs it: the last ones are repeated."""
    high, wide = frame.shape[:2]
    return np.pad(frame, ((0, high % 2), (0, wide % 2), (0, 0)), mode="edge")
