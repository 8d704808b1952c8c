"""Picture files: reading one, enlarging it, writing it. Needs Pillow.

What a file can hold decides what is computed: greyscale stays greyscale, an alpha channel stays, 16-bit greyscale stays
16-bit; palettes and other colour spaces become RGB. The orientation that a camera notes in EXIF is applied, and the
colour profile is handed on. Of an animation the first picture is taken, of a TIFF file of several pages the one that is
asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tconv import bands, checks
from tconv.placing import check_file, check_place, unfinished
from tconv.upsample import Rows, planned_by_strips, strips

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


def read(source: Path, max_pixels: int | None = None, page: int | None = None) -> Image:
    """The picture in a file, or on one of its pages, upright, in a mode whose channels can be interpolated.

    OSError where the file cannot be read or holds no picture, or one of more pixels than are allowed, by default as
    many as Pillow allows; it names the file.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    check_file(source)
    try:
        with naming(source, "is a broken picture"), _limit(max_pixels), Image.open(source) as image:
            _turn_to(source, image, page)
            size = image.size
            beyond = max_pixels is not None and size[0] * size[1] > max_pixels
            unsigned = image.mode == "I" and image.format == "TIFF" and _unsigned(image)
            picture = image if beyond else ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise OSError(f"{source} is not a picture in a format that Pillow reads") from None
    except Image.DecompressionBombError as error:
        raise OSError(f"{source} is too large: {error} --max-pixels allows for more, if you trust it") from None
    except (SyntaxError, ValueError, EOFError) as error:  # what Pillow's readers raise for files that are broken
        raise OSError(f"{source} is a broken picture: {error}") from None
    if max_pixels is not None:
        _check_pixels(source, *size, max_pixels)
    return _interpolable(picture, unsigned)


def _turn_to(source: Path, image: Any, page: int | None) -> None:
    """Go to the page of a picture; that of an animation may be left out."""
    count = getattr(image, "n_frames", 1)
    if image.format == "TIFF" and count > 1:
        pages = [number for number in range(count) if not _is_reduced(image, number)]
        image.seek(pages[bands.page_of(source, len(pages), page)])
    elif page is not None:
        image.seek(bands.page_of(source, count, page))


def _is_reduced(image: Any, number: int) -> bool:
    """Whether a page of a TIFF file is a smaller copy of another one (NewSubfileType)."""
    image.seek(number)
    return bool(image.tag_v2.get(254, 0) & 1)


def _unsigned(image: Any) -> bool:
    """Whether a TIFF file says so of its integers, or nothing (SampleFormat)."""
    return image.tag_v2.get(339, (1,)) == (1,)  # type: ignore[no-any-return]


@contextmanager
def _limit(max_pixels: int | None) -> Iterator[None]:
    """Pillow's own limit is lifted where another one is given."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    if max_pixels is not None:
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _check_pixels(source: Path, width: int, height: int, most: int) -> None:
    if width * height > most:
        raise OSError(f"{source} is too large: {width}x{height} pixels, and --max-pixels allows for {most}")


@contextmanager
def naming(path: Path, trouble: str) -> Iterator[None]:
    """Errors of reading or writing that do not say which file they are about get this one."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except (UnidentifiedImageError, bands.WrongPage):
        raise
    except OSError as error:
        if error.filename is not None:
            raise
        if error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise OSError(f"{path} {trouble}: {error}") from None


def _interpolable(picture: Image, unsigned: bool = False) -> Image:
    """The picture in a mode whose channels can be interpolated, as near to its own as there is one."""
    if "transparency" in picture.info:
        return picture.convert("LA" if picture.mode in ("1", "L") else "RGBA")
    if picture.mode in ("L", "LA", "RGB", "RGBA", "F", "I;16"):
        return picture
    if picture.mode.startswith("I"):
        return _sixteen_bits(picture, unsigned)
    converted = picture.convert({"1": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}.get(picture.mode, "RGB"))
    if picture.mode in ("CMYK", "LAB"):
        converted.info.pop("icc_profile", None)  # it describes other channels than those there are now
    return converted


def _sixteen_bits(picture: Image, unsigned: bool) -> Image:
    """Integers of more than 8 bits, where 16 hold them; else floating point. Pillow has no unsigned ones of 32."""
    from PIL import Image

    values = np.asarray(picture)
    values = values.view(np.uint32) if unsigned else values
    if values.min() < 0 or values.max() > 65535:
        return Image.fromarray(values.astype(np.float32))
    return Image.fromarray(values.astype(np.uint16))


def enlarge(
    source: Path,
    target: Path,
    scale: int,
    kernel: str | NDArray[Any] = "bilinear",
    *,
    max_pixels: int | None = None,
    page: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Enlarged:
    """Write the picture in `source`, enlarged by `upsample`, to `target`, whose extension names the format.

    Arrays of Zarr, and TIFF files that are tiled or large, are read and written by bands of rows (`bands.py`); the last
    needs tifffile. Other files are in memory as a whole. `progress` is called with the strips done and their number,
    from 0 on. OSError where a file cannot be read or written, or has more than `max_pixels`; else the errors of
    `upsample`, and a ValueError where the format cannot hold the result, before any work.
    """
    with checks.explained("enlarge"):
        if max_pixels is not None:
            max_pixels = checks.integer("max_pixels", max_pixels, 1)
        if page is not None:
            page = checks.integer("page", page, 1)
        form = "" if target.suffix.lower() == ".zarr" else _format_of(target)
        bands.check_target(target)
    given = bands.opened(source, page)
    if given is None:
        image = read(source, max_pixels, page)
        found = _Read(np.asarray(image), image.mode, image.mode.endswith("A"), image.info.get("icc_profile"))
        return _enlarge(found, target, form, scale, kernel, False, progress)
    with closing(given):
        if max_pixels is not None:
            _check_pixels(source, given.shape[1], given.shape[0], max_pixels)
        found = _Read(given, _mode_of(given), given.alpha, given.profile)
        return _enlarge(found, target, form, scale, kernel, True, progress)


class _Read(NamedTuple):
    """A picture that was opened."""

    pixels: Rows
    mode: str
    alpha: bool
    profile: bytes | None


def _enlarge(
    given: _Read, target: Path, form: str, scale: int, kernel: str | NDArray[Any], by_bands: bool,
    progress: Callable[[int, int], None],
) -> Enlarged:  # fmt: skip
    pixels, mode, alpha, profile = given
    height, width = pixels.shape[:2]
    with checks.explained("enlarge"):
        scale = checks.integer("scale", scale, 1)
        size = (width * scale, height * scale)
        by_bands = bands.writes(target, size[0] * size[1], by_bands)
        if not by_bands:
            _check_holds(form, mode, size)
            hint = ": as .tif or .zarr it is written by bands, where tifffile or zarr is installed"
            checks.fits_memory("the enlarged picture", 4 * size[0] * size[1], hint)
        plan, weights = planned_by_strips(pixels, scale, kernel, alpha=alpha)
    done = _counted(strips(pixels, plan, weights), plan.strips, progress)
    if by_bands:
        with naming(target, "is not written"):
            bands.written(done, target, (size[1], size[0], *pixels.shape[2:]), pixels.dtype, alpha, profile)
    else:
        _whole(done, mode, size, target, form, profile)
    progress(plan.strips, plan.strips)
    return Enlarged((width, height), size, mode, plan.kernel, plan.strips)


def _counted(
    made: Iterator[tuple[int, NDArray[Any]]], total: int, progress: Callable[[int, int], None]
) -> Iterator[tuple[int, NDArray[Any]]]:
    for done, strip in enumerate(made):
        progress(done, total)
        yield strip


def _mode_of(given: bands.Bands) -> str:
    """Pillow's name of the channels, or what they are where it has none."""
    channels = (*given.shape, 1)[2]
    named = {("uint8", 1): "L", ("uint8", 3): "RGB", ("uint16", 1): "I;16", ("float32", 1): "F"}
    if given.alpha:
        named = {("uint8", 2): "LA", ("uint8", 4): "RGBA"}
    return named.get((given.dtype.name, channels), f"{given.dtype}, {checks.count(channels, 'channel')}")


def _whole(
    made: Iterator[tuple[int, NDArray[Any]]], mode: str, size: tuple[int, int], target: Path, form: str,
    profile: bytes | None,
) -> None:  # fmt: skip
    """Put strips into a picture of Pillow, and write that."""
    from PIL import Image

    enlarged = Image.new(mode, size)
    for first, strip in made:
        enlarged.paste(Image.fromarray(strip), (0, first))
    _write(enlarged, target, form, profile)


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
    if "," in mode:  # of which Pillow knows nothing
        return False
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
    return ".tif" if mode == "F" or "," in mode else ".png"


def _write(image: Image, target: Path, form: str, profile: bytes | None) -> None:
    options: dict[str, Any] = {"quality": 95} if form in ("JPEG", "WEBP") else {}
    if profile:
        options["icc_profile"] = profile
    with naming(target, "cannot be written"), unfinished(target) as place:
        image.save(place, form, **options)
