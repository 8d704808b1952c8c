"""Pictures of which bands of rows are read and written, so that no more of them is in memory: TIFF and Zarr.

Needs tifffile (TIFF) or zarr. `Bands` stands for a picture where `upsample.strips` takes rows of one, from top to
bottom; `written` puts strips into tiles. Files appear whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tconv import checks
from tconv.placing import unfinished

#: Rows and columns of the tiles that are written.
TILE = 256
#: Pixels from which a TIFF file is read or written by bands even where it would fit.
LARGE = 1 << 26
#: Bytes of tiles that wait to be compressed.
_WAITING = 1 << 24

DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
Strips: TypeAlias = Iterator[tuple[int, NDArray[Any]]]


class WrongPage(OSError):
    """A file has several pages, and none was asked for, or one that it does not have."""


class Bands:
    """A picture in a file: its shape, its dtype, and rows on demand."""

    def __init__(
        self, shape: tuple[int, ...], dtype: Any, height: int, read: Callable[[int, int], NDArray[Any]],
        alpha: bool = False, profile: bytes | None = None, close: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.shape, self.dtype, self.alpha, self.profile = shape, np.dtype(dtype), alpha, profile
        self._height, self._read, self.close = height, read, close
        self._kept: dict[int, NDArray[Any]] = {}

    def __getitem__(self, rows: NDArray[np.intp]) -> NDArray[Any]:
        """Rows by their numbers. Bands of tiles that are asked for again, by the next strip, are not read again."""
        h = self._height
        wanted = range(int(rows.min()) // h, int(rows.max()) // h + 1)
        self._kept = {number: self._kept[number] if number in self._kept else self._band(number) for number in wanted}
        found: NDArray[Any] = np.concatenate([self._kept[number] for number in wanted])[rows - wanted[0] * h]
        return found

    def _band(self, number: int) -> NDArray[Any]:
        start = number * self._height
        return self._read(start, min(start + self._height, self.shape[0]))


# ---- reading


def opened(source: Path, page: int | None = None) -> Bands | None:
    """The picture in a file that is read by bands; None for a file that is for Pillow."""
    if source.is_dir() and any((source / name).is_file() for name in ("zarr.json", ".zarray")):
        page_of(source, 1, page)
        return _of_zarr(source)
    if source.suffix.lower() in (".tif", ".tiff") and source.is_file() and find_spec("tifffile"):
        return _of_tiff(source, page)
    return None


def page_of(source: Path, count: int, page: int | None) -> int:
    """The index of a page of so many, given its number from 1 on; WrongPage where it is not said which, or none."""
    if page is None and count > 1:
        raise WrongPage(f"{source} has {count} pages; --page says which one, from 1 on")
    if page is not None and page > count:
        raise WrongPage(f"{source} has {checks.count(count, 'page')}; --page is {page}")
    return 0 if page is None else page - 1


def _of_zarr(source: Path) -> Bands:
    zarr = _needed("zarr", source)
    try:
        array = zarr.open_array(source, mode="r")
    except Exception as error:  # a group, or metadata that zarr refuses in many ways
        raise OSError(f"{source} holds no array of Zarr: {checks.first_line(error)}") from None
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.name not in DTYPES:
        got = f"{array.dtype} of shape {array.shape}"
        raise OSError(f"{source} must hold (rows, columns) or (rows, columns, channels) of {_dtypes()}; it has {got}")
    height = (array.shards or array.chunks)[0]
    return Bands(array.shape, array.dtype, height, lambda start, stop: array[start:stop])


def _of_tiff(source: Path, page: int | None) -> Bands | None:
    """A TIFF file whose pixels are numbers of a whole dtype side by side, if it is tiled or large, or has numbers that
    Pillow would cut to 8 bits or not read; None for the others, which it knows.
    """
    import tifffile

    file = None
    try:
        file = tifffile.TiffFile(source)
        found = _of_pages(source, file, page)
    except (tifffile.TiffFileError, ValueError, IndexError, KeyError):
        found = None  # Pillow says what is wrong with it
    except OSError:
        if file is not None:
            file.close()
        raise
    if file is not None and found is None:
        file.close()
    return found


def _of_pages(source: Path, file: Any, number: int | None) -> Bands | None:
    pages = [page for page in file.pages if not page.is_reduced]  # those are smaller copies of others
    page = pages[page_of(source, len(pages), number)]
    plain = page.dtype is not None and page.dtype.name in DTYPES and page.bitspersample == 8 * page.dtype.itemsize
    plain = plain and page.planarconfig == 1 and page.photometric in (1, 2) and page.imagedepth == 1
    orientation = page.tags.get("Orientation")
    if not plain or (orientation is not None and orientation.value != 1):
        return None
    kept_by_pillow = page.dtype.name == "uint8" or (
        page.samplesperpixel == 1 and page.dtype.name in ("uint16", "float32")
    )
    if kept_by_pillow and not page.is_tiled and page.imagelength * page.imagewidth <= LARGE:
        return None
    height = page.tilelength if page.is_tiled else page.rowsperstrip
    shape = (page.imagelength, page.imagewidth, *([page.samplesperpixel] if page.samplesperpixel > 1 else []))
    across = -(-page.imagewidth // page.tilewidth) if page.is_tiled else 1
    alpha = page.samplesperpixel in (2, 4) and tuple(map(int, page.extrasamples)) == (2,)

    def read(start: int, stop: int) -> NDArray[Any]:
        band = np.empty((stop - start, page.imagewidth, page.samplesperpixel), page.dtype)
        for index in range(start // height * across, -(-stop // height) * across):
            file.filehandle.seek(page.dataoffsets[index])
            try:
                pixels, place, size = page.decode(file.filehandle.read(page.databytecounts[index]), index)
            except Exception as error:  # each codec has its own
                raise OSError(f"{source} cannot be read: {checks.first_line(error)}") from None
            row, column = place[2] - start, place[3]
            into = band[row : row + size[1], column : column + size[2]]  # tiles reach beyond the picture
            into[:] = 0 if pixels is None else pixels[0, : into.shape[0], : into.shape[1]]
        return band.reshape(len(band), *shape[1:])

    profile = page.tags.get("InterColorProfile")
    return Bands(shape, page.dtype, height, read, alpha, None if profile is None else profile.value, file.close)


# ---- writing


def writes(target: Path, pixels: int, by_bands: bool) -> bool:
    """Whether a file is written by bands: Zarr, and TIFF of so many pixels or of a source that is read so."""
    suffix = target.suffix.lower()
    tiff = suffix in (".tif", ".tiff") and bool(find_spec("tifffile"))
    return suffix == ".zarr" or (tiff and (by_bands or pixels > LARGE))


def written(
    strips: Strips, target: Path, shape: tuple[int, ...], dtype: np.dtype[Any], alpha: bool, profile: bytes | None
) -> None:
    """Put strips, from top to bottom, into tiles of a file."""
    if target.suffix.lower() == ".zarr":
        _to_zarr(strips, target, shape, dtype)
    else:
        _to_tiff(strips, target, shape, dtype, alpha, profile)


def check_target(target: Path) -> None:
    """A file can be written there: OSError where something else has its name."""
    if target.suffix.lower() != ".zarr":
        return
    _needed("zarr", target)
    if not target.parent.is_dir():
        raise FileNotFoundError(2, "No such folder", str(target.parent))
    if target.exists() and not _is_array(target):
        raise FileExistsError(17, "Is no array of Zarr, which could be replaced", str(target))


def _is_array(folder: Path) -> bool:
    """Whether a folder is one array of Zarr, and not a group of many, whose file has the same name in version 3."""
    try:
        return (folder / ".zarray").is_file() or json.loads((folder / "zarr.json").read_text())["node_type"] == "array"
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _to_zarr(strips: Strips, target: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    import zarr

    with unfinished(target) as place:
        array: Any = zarr.create_array(place, shape=shape, chunks=(TILE, TILE, *shape[2:]), dtype=dtype)
        for first, band in _in_bands(strips):
            array[first : first + len(band)] = band


def _to_tiff(
    strips: Strips, target: Path, shape: tuple[int, ...], dtype: np.dtype[Any], alpha: bool, profile: bytes | None
) -> None:
    import tifffile

    channels = (*shape, 1)[2]
    colours = channels - alpha
    options: dict[str, Any] = {"iccprofile": profile} if profile else {}
    extra = ["unassalpha"] if alpha else ["unspecified"] * (channels - 3 if colours >= 3 else channels - 1)
    if extra:
        options["extrasamples"] = extra
    with unfinished(target) as place, tifffile.TiffWriter(place, bigtiff=prod(shape) * dtype.itemsize > 2**31) as file:
        file.write(
            _tiles(strips, shape), shape=shape, dtype=dtype, tile=(TILE, TILE), compression="zlib",
            compressionargs={"level": 1}, photometric="rgb" if colours >= 3 else "minisblack", metadata=None,
            planarconfig="contig" if channels > 1 else None, buffersize=_WAITING, **options,
        )  # fmt: skip


def _tiles(strips: Strips, shape: tuple[int, ...]) -> Iterator[NDArray[Any]]:
    for _, band in _in_bands(strips):
        for left in range(0, shape[1], TILE):
            tile = np.zeros((TILE, TILE, *shape[2:]), band.dtype)
            cut = band[:, left : left + TILE]
            tile[: len(cut), : cut.shape[1]] = cut
            yield tile


def _in_bands(strips: Strips) -> Strips:
    """The same rows in bands as high as tiles, the last of which may be lower."""
    kept: list[NDArray[Any]] = []
    first = rows = 0
    for _, strip in strips:
        start = 0
        while start < len(strip):
            taken = strip[start : start + TILE - rows]
            kept.append(taken)
            start, rows = start + len(taken), rows + len(taken)
            if rows == TILE:
                yield first, np.concatenate(kept)
                first, rows = first + TILE, 0
                kept.clear()
    if kept:
        yield first, np.concatenate(kept)


def _needed(module: str, path: Path) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise OSError(f"{path} needs {module}, which is not installed: pip install {module}") from None


def _dtypes() -> str:
    return ", ".join(DTYPES[:-1]) + f" or {DTYPES[-1]}"
