"""The steps of a view one after the other: GIF, APNG, or MP4 through ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tconv import checks
from tconv.draw.layout import place
from tconv.draw.raster import pixels
from tconv.draw.sheet import Rect, Sheet
from tconv.draw.themes import THEMES, Theme

if TYPE_CHECKING:
    from tconv.draw.scene import Scene

#: What an animation can be saved as, by the ending of its name.
FORMATS = ("gif", "apng", "mp4")
#: Frames, at most: of more steps as many are taken, evenly.
MOST = 60
#: Colours of a GIF, and how many times as long as others its last frame is held.
COLOURS, HELD = 64, 3


def taken(steps: int, most: int = MOST) -> list[int]:
    """The steps that become frames: all, or so many of them evenly, the first and the last among them."""
    if steps <= most:
        return list(range(steps))
    return [round(number * (steps - 1) / (most - 1)) for number in range(most)]


def write(
    scenes: list[Scene], path: Path, *, language: str, theme: str, width: int, seconds: float,
    progress: Callable[[int, int], None] | None = None,
) -> None:  # fmt: skip
    """Write the frames of some scenes to a file, in the format of its ending."""
    form = path.suffix.lower().removeprefix(".")
    sheets = [place(scene, language) for scene in scenes]
    frames = list(_frames(sheets, THEMES[theme], width, progress))
    if form == "mp4":
        _by_ffmpeg(frames, path, seconds)
    else:
        _by_pillow(frames, path, form, seconds)


def _frames(
    sheets: list[Sheet], theme: Theme, width: int, progress: Callable[[int, int], None] | None
) -> Iterator[NDArray[np.uint8]]:
    """The pixels of each, equally high: what is lower is filled up with the colour of the sheet."""
    high = max(sheet.height for sheet in sheets)
    for number, sheet in enumerate(sheets, 1):
        yield pixels(_filled(sheet, high), theme, width)
        if progress is not None:
            progress(number, len(sheets))


def _filled(sheet: Sheet, high: float) -> Sheet:
    ground = Rect(0, 0, sheet.width, high, "sheet", 0)
    return replace(sheet, height=high, items=(ground, *sheet.items[1:]))


def _by_pillow(frames: list[NDArray[np.uint8]], path: Path, form: str, seconds: float) -> None:
    pictures = [Image.fromarray(frame) for frame in frames]
    durations = [round(1000 * seconds)] * (len(frames) - 1) + [round(1000 * seconds * HELD)]
    options: dict[str, Any] = {"save_all": True, "duration": durations, "loop": 0}
    if form == "gif":
        # One palette for all frames, of the last, which has the most on it: colours do not flicker.
        palette = pictures[-1].quantize(COLOURS, dither=Image.Dither.NONE)
        pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
        options.update(optimize=True, disposal=1)
    pictures[0].save(path, format="GIF" if form == "gif" else "PNG", append_images=pictures[1:], **options)


def _by_ffmpeg(frames: list[NDArray[np.uint8]], path: Path, seconds: float) -> None:
    """Frames through a pipe; the last is held longer."""
    program = shutil.which("ffmpeg")
    if program is None:
        checks.wrong("MP4 needs the program ffmpeg on the PATH: install it, or write a .gif or .apng")
    even = [frame[: len(frame) // 2 * 2, : frame.shape[1] // 2 * 2] for frame in frames]
    high, wide = even[0].shape[:2]
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{wide}x{high}", "-r", str(1 / seconds), "-i", "-"]
    made = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-r", "25", "-movflags", "+faststart"]
    stream = b"".join(frame.tobytes() for frame in [*even, *even[-1:] * (HELD - 1)])
    found = subprocess.run(
        [program, "-y", "-loglevel", "error", *given, *made, str(path)], input=stream, capture_output=True, check=False
    )
    if found.returncode:
        checks.wrong(f"ffmpeg could not write {path.name}: {found.stderr.decode(errors='replace').strip()}")
