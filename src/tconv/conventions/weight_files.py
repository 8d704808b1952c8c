"""Files of named arrays, read and written with care: .npy, .npz and .safetensors; of PyTorch, .pt is read too.

What is read comes from strangers: nothing is unpickled, and sizes are compared with those of the file and of the memory
before anything is allocated. What is written appears whole or not at all. safetensors needs the package of that name,
and types that NumPy lacks, such as bfloat16, need ml_dtypes.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from tconv import checks
from tconv.conventions import checkpoints
from tconv.placing import check_file
from tconv.placing import write as write_whole

Array = NDArray[Any]
FORMATS = (".npy", ".npz", ".safetensors")
#: Those of PyTorch's checkpoints.
CHECKPOINTS = (".pt", ".pth")
#: The types that safetensors has, under NumPy's names and those of ml_dtypes.
_TYPES = {
    "BOOL": "bool",
    **{
        f"{letter}{bits}": f"{kind}{bits}" for letter, kind in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)
    },
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
    "C64": "complex64",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds."""

    arrays: dict[str, Array]
    metadata: dict[str, str] = field(default_factory=dict)  #: notes that only safetensors has


def form(name: str, path: Path) -> str:
    """The format that the name of a file says that is to be written; raises `checks.Rejected`."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        hint = "; PyTorch reads .safetensors too" if suffix in CHECKPOINTS else ""
        checks.wrong(f"{name} must end in .npy, .npz or .safetensors; got {path.name!r}{hint}")
    return suffix


def form_read(name: str, path: Path) -> str:
    """As `form`, of a file that is read."""
    suffix = path.suffix.lower()
    if suffix not in (*FORMATS, *CHECKPOINTS):
        checks.wrong(f"{name} must end in .npy, .npz, .safetensors, .pt or .pth; got {path.name!r}")
    return suffix


def read(path: Path) -> Contents:
    """The arrays in a file by name; the one of a .npy file is called as the file is.

    OSError where it cannot be read, `checks.Rejected` where it holds something else than its name says.
    """
    kind = form_read("the file", path)
    check_file(path)
    if kind in CHECKPOINTS:
        return Contents(checkpoints.read(path, _dtype))
    if kind == ".safetensors":
        return _read_safetensors(path)
    with path.open("rb") as file:
        if kind == ".npy":
            return Contents({path.stem: _read_array(file, path.stat().st_size, path.name)})
        return Contents(_read_archive(file, path.name))


def write(path: Path, contents: Contents) -> None:
    """Put arrays into a file, whole or not at all.

    OSError where it cannot be written, `checks.Rejected` where its format does not hold such arrays.
    """
    in_c_order = {name: np.require(array, requirements="C") for name, array in contents.arrays.items()}
    write_whole(path, _WRITERS[form("the file", path)](Contents(in_c_order, contents.metadata)))


def _read_archive(file: IO[bytes], name: str) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            checks.fits_memory(f"the arrays of {name}", sum(member.file_size for member in members))
            arrays = {}
            for member in members:
                key, suffix, rest = member.filename.rpartition(".npy")
                if not suffix or rest:
                    checks.wrong(f"{name} must hold arrays and nothing else; {member.filename!r} is none")
                with archive.open(member) as opened:
                    arrays[key] = _read_array(opened, member.file_size, member.filename)
            return arrays
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as error:
        checks.wrong(f"{name} must be an archive of arrays, as numpy.savez writes it; {error}")


def _read_array(file: IO[bytes], size: int, name: str) -> Array:
    """One array, whose header must fit the bytes that there are."""
    try:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, column_order, dtype = header(file)
    except Exception as error:  # of many kinds: the header is a piece of Python, and NumPy parses it as such
        checks.wrong(f"{name} must begin as a .npy file does; {str(error).partition(chr(10))[0]}")
    if dtype.hasobject:
        checks.wrong(f"{name} must hold numbers; it holds pickled objects, which can run any code when they are read")
    if any(entry < 0 for entry in shape) or prod(shape) * dtype.itemsize > size:
        checks.wrong(
            f"{name} must hold as many bytes as its shape {checks.shorten(shape)} and its type {dtype} say; "
            f"it has {size}: it is truncated"
        )
    content = file.read(prod(shape) * dtype.itemsize)
    if len(content) < prod(shape) * dtype.itemsize:
        checks.wrong(f"{name} must hold {prod(shape) * dtype.itemsize} bytes of numbers; it is truncated")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if column_order else "C")


def _read_safetensors(path: Path) -> Contents:
    safetensors = _load("safetensors")
    size = path.stat().st_size
    checks.fits_memory(f"the arrays of {path.name}, twice while they are read", 2 * size)
    content = path.read_bytes()
    try:
        found = safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        reason = str(error).removeprefix("Error while deserializing: ")
        checks.wrong(f"{path.name} must be a whole .safetensors file; {reason}")
    found.sort(key=lambda pair: pair[0])  # they come in an order that differs from one process to the next
    arrays = {name: _from_bytes(path.name, name, entry) for name, entry in found}
    with safetensors.safe_open(str(path), "np") as opened:
        return Contents(arrays, dict(opened.metadata() or {}))


def _from_bytes(file: str, name: str, entry: dict[str, Any]) -> Array:
    kind = entry["dtype"]
    if kind not in _TYPES:
        checks.wrong(f"{file} must hold arrays of {', '.join(_TYPES)}; {name!r} is one of {kind}")
    return np.frombuffer(entry["data"], _dtype(_TYPES[kind])).reshape(entry["shape"])


def _dtype(name: str) -> np.dtype[Any]:
    """A type of NumPy, or of ml_dtypes."""
    try:
        return np.dtype(name)
    except TypeError:
        found: np.dtype[Any] = np.dtype(getattr(_load("ml_dtypes"), name))
        return found


def _load(package: str) -> Any:
    try:
        return import_module(package)
    except ModuleNotFoundError:
        checks.wrong(f"{package} must be installed: pip install 'tconv[safetensors]'")


def _npy(contents: Contents) -> bytes:
    ((name, array),) = contents.arrays.items()
    file = io.BytesIO()
    _write_array(file, name, array)
    return file.getvalue()


def _npz(contents: Contents) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:  # numpy.savez takes no array that is called "file"
        for name, array in contents.arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                _write_array(member, name, array)
    return file.getvalue()


def _write_array(file: IO[bytes], name: str, array: Array) -> None:
    if npy.descr_to_dtype(npy.dtype_to_descr(array.dtype)) != array.dtype:
        checks.wrong(f"output must be a .safetensors file to hold {array.dtype}, which {name!r} is of; NumPy's do not")
    npy.write_array(file, array, allow_pickle=False)


def _safetensors(contents: Contents) -> bytes:
    writer = _load("safetensors.numpy")
    for name, array in contents.arrays.items():
        if array.dtype.name not in _TYPES.values():
            checks.wrong(f"output must be a .npz file to hold {array.dtype}, which {name!r} is of; safetensors do not")
    content: bytes = writer.save(contents.arrays, contents.metadata or None)
    return content


_WRITERS: dict[str, Callable[[Contents], bytes]] = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors}
