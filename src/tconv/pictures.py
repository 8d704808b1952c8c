"""Picture files: reading one, enlarging it, writing it. Needs Pillow.

What a file can hold decides what is computed: greyscale stays greyscale, an alpha channel stays, 16-bit greyscale stays
16-bit; palettes and other colour spaces become RGB. The orientation that a camera notes in EXIF is applied, and the
colour profile is handed on. Of an animation the first picture is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tconv import checks
from tconv.placing import check_file, check_place
from tconv.upsample import planned, strips

if TYPE_CHECKING:
    from PIL.Image import Image

#: Formats that hold no more than so many pixels a side.
_LIMITS = {"JPEG": 65500, "WEBP": 16383}
#: Formats of icons: Pillow shrinks or stretches a picture to the sizes that icons have.
_ICONS = ("ICNS", "ICO")


@dataclass(frozen=True, slots=True)
class Enlarged:
    """A picture file that was written: sizes as (width, height), as image viewers say them."""

    source: tuple[int, int]
    target: tuple[int, int]
    mode: str  #: Pillow's name of the channels, such as "RGB"
    kernel: tuple[int, int]
    strips: int


def read(source: Path) -> Image:
    """The picture in a file, upright, in a mode whose channels can be interpolated.

    OSError where the file cannot be read or holds no picture; it names the file.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    check_file(source)
    try:
        with naming(source, "is a broken picture"), Image.open(source) as image:
            picture = ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise OSError(f"{source} is not a picture in a format that Pillow reads") from None
    except Image.DecompressionBombError as error:
        raise OSError(f"{source} is too large: {error}") from None
    except (SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise for files that are broken
        raise OSError(f"{source} is a broken picture: {error}") from None
    return _interpolable(picture)


@contextmanager
def naming(path: Path, trouble: str) -> Iterator[None]:
    """Errors of reading or writing that do not say which file they are about get this one."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except UnidentifiedImageError:
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise OSError(f"{path} {trouble}: {error}") from None


def _interpolable(picture: Image) -> Image:
    """The picture in a mode whose channels can be interpolated, as near to its own as there is one."""
    if "transparency" in picture.info:
        return picture.convert("LA" if picture.mode in ("1", "L") else "RGBA")
    if picture.mode in ("L", "LA", "RGB", "RGBA", "F", "I;16"):
        return picture
    if picture.mode.startswith("I"):
        return _sixteen_bits(picture)
    converted = picture.convert({"1": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}.get(picture.mode, "RGB"))
    if picture.mode in ("CMYK", "LAB"):
        converted.info.pop("icc_profile", None)  # it describes other channels than those there are now
    return converted


def _sixteen_bits(picture: Image) -> Image:
    """Integers of more than 8 bits, where 16 hold them; else floating point."""
    from PIL import Image

    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535:
        return picture.convert("F")
    return Image.fromarray(values.astype(np.uint16))


def enlarge(
    source: Path,
    target: Path,
    scale: int,
    kernel: str | NDArray[Any] = "bilinear",
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Enlarged:
    """Write the picture in `source`, enlarged by `upsample`, to `target`, whose extension names the format.

    `progress` is called with the strips done and their number, from 0 on. OSError where a file cannot be read or
    written; else the errors of `upsample`, and a ValueError where the format cannot hold the result, before any work.
    """
    from PIL import Image

    with checks.explained("enlarge"):
        form = _format_of(target)
    image = read(source)
    pixels = np.asarray(image)
    with checks.explained("enlarge"):
        scale = checks.integer("scale", scale, 1)
        size = (image.width * scale, image.height * scale)
        _check_holds(form, image.mode, size)
        checks.fits_memory("the enlarged picture", 4 * size[0] * size[1])
        plan, weights = planned(pixels, scale, kernel, alpha=image.mode.endswith("A"))
    enlarged = Image.new(image.mode, size)
    for done, (first, strip) in enumerate(strips(pixels, plan, weights)):
        progress(done, plan.strips)
        enlarged.paste(Image.fromarray(strip), (0, first))
    _write(enlarged, target, form, image.info.get("icc_profile"))
    progress(plan.strips, plan.strips)
    return Enlarged(image.size, size, image.mode, plan.kernel, plan.strips)


def _format_of(target: Path) -> str:
    from PIL import Image

    known = Image.registered_extensions()
    form = known.get(target.suffix.lower(), "")
    if form not in Image.SAVE:
        checks.wrong(
            f"output must end in the extension of a picture format, such as .png, .jpg or .tif; got {target.name!r}"
        )
    if form in _ICONS:
        checks.wrong(f"output must be in a format that holds pictures of any size, such as .png; got {form}")
    check_place(target)
    return form


def _check_holds(form: str, mode: str, size: tuple[int, int]) -> None:
    """The format can hold such a picture."""
    if not _survives(form, mode):
        checks.wrong(f"output must be in a format that holds {mode} pictures, such as {_advice(mode)}; got {form}")
    if max(size) > _LIMITS.get(form, max(size)):
        checks.wrong(
            f"output must have at most {_LIMITS[form]} pixels a side as {form}; it would have {size[0]}x{size[1]}"
        )


def _survives(form: str, mode: str) -> bool:
    """Whether depth and alpha channel come back from a file; asked of Pillow with a picture of one pixel.

    That Pillow writes the picture does not say so: for some formats it converts to 8 bits, or drops the alpha channel.
    """
    from PIL import Image, UnidentifiedImageError

    file = BytesIO()
    try:
        Image.new(mode, (1, 1)).save(file, form)
        file.seek(0)
        with Image.open(file) as back:
            kept, transparent = back.mode, "transparency" in back.info
    except UnidentifiedImageError:  # a format that Pillow writes and does not read, such as PDF
        return mode not in ("F", "I;16")
    except (OSError, ValueError, KeyError):
        return False
    if mode.endswith("A"):
        return transparent or kept.endswith("A")
    return kept.startswith(mode[0]) if mode in ("F", "I;16") else True


def _advice(mode: str) -> str:
    return {"F": ".tif"}.get(mode, ".png")


def _write(image: Image, target: Path, form: str, profile: bytes | None) -> None:
    options: dict[str, Any] = {"quality": 95} if form in ("JPEG", "WEBP") else {}
    if profile:
        options["icc_profile"] = profile
    with naming(target, "cannot be written"):
        image.save(target, form, **options)
