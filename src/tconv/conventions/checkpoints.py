"""Checkpoints of PyTorch, .pt and .pth, read without PyTorch: tensors in dictionaries, and nothing that could run.

Such a file is a zip archive: a pickle that says which tensors there are, and a file of plain numbers for each storage.
A pickle is a program, so it is run by an unpickler that knows a handful of names: dictionaries, and the functions by
which PyTorch rebuilds tensors, for which ours stand in. Whatever else a pickle names is refused before it is called.
Sizes are compared with those of the storages, and these with the memory, before anything is allocated.
"""

from __future__ import annotations

import pickle
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from tconv import checks

Array = NDArray[Any]
#: A pickle of more bytes says more than which tensors there are.
MOST_PICKLED = 2**26
#: Storages that are made of one type, and dtypes, by their names in PyTorch.
_STORAGES = {
    **{"Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16", "Bool": "bool"},
    **{"Byte": "uint8", "Char": "int8", "Short": "int16", "Int": "int32", "Long": "int64"},
    **{"ComplexFloat": "complex64", "ComplexDouble": "complex128"},
}
_DTYPES = ("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", *_STORAGES.values())


@dataclass(frozen=True, slots=True)
class _Type:
    """What stands for a class of storages, or for a dtype: the type's name; None: of bytes."""

    name: str | None


@dataclass(frozen=True, slots=True)
class _Storage:
    """Numbers in a row, not read yet."""

    key: str
    type: _Type


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str


def read(path: Path, dtype_of: Callable[[str], np.dtype[Any]]) -> dict[str, Array]:
    """The tensors of a checkpoint by name; those in dictionaries within it by both names with a dot between them.

    `dtype_of` gives a type by its name, also those that NumPy lacks. OSError where the file cannot be read,
    `checks.Rejected` where it holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Checkpoint(path.name, archive, dtype_of).arrays()
    except zipfile.BadZipFile:
        checks.wrong(
            f"{path.name} must be a zip archive, as PyTorch 1.6 or newer writes it; read and save an older one with "
            "torch.load(path, weights_only=True) and torch.save"
        )
    except (zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        checks.wrong(f"{path.name} must be a whole archive; {checks.first_line(error)}")


class _Checkpoint:
    """One archive while it is read."""

    def __init__(self, name: str, archive: zipfile.ZipFile, dtype_of: Callable[[str], np.dtype[Any]]) -> None:
        self.name, self.archive, self.dtype_of = name, archive, dtype_of
        self.sizes = {member.filename: member.file_size for member in archive.infolist()}
        checks.fits_memory(f"the tensors of {name}", sum(self.sizes.values()))
        self.folder = next((file.removesuffix("data.pkl") for file in self.sizes if file.endswith("/data.pkl")), "")
        if f"{self.folder}data.pkl" not in self.sizes:
            self._wrong("it has no data.pkl")
        if f"{self.folder}constants.pkl" in self.sizes:
            self._wrong("it is a TorchScript program; save its state_dict()")
        self.storages: dict[str, Array] = {}
        self.total = 0

    def arrays(self) -> dict[str, Array]:
        """All tensors."""
        pickled = f"{self.folder}data.pkl"
        if self.sizes[pickled] > MOST_PICKLED:
            self._wrong(f"its data.pkl has {checks.memory(self.sizes[pickled])}")
        with self.archive.open(pickled) as file:
            try:
                content = _Unpickler(file).load()
            except checks.Rejected as rejected:
                self._wrong(str(rejected))
            except Exception as error:  # of any kind: it is a program, and a broken one may do anything but run code
                self._wrong(f"its data.pkl is broken ({type(error).__name__})")
        found = dict(_tensors("", content, set()))
        if not found:
            self._wrong("there is none")
        return {name: self._array(name, tensor) for name, tensor in found.items()}

    def _array(self, name: str, tensor: _Tensor) -> Array:
        if not _is_sound(tensor):
            self._wrong(f"{name!r} is no tensor of a known type")
        kind = self.dtype_of(tensor.dtype)
        self.total += prod(tensor.shape) * kind.itemsize  # of one storage there may be many
        checks.fits_memory(f"the tensors of {self.name}", self.total)
        # As bytes: NumPy's views by strides know no types but its own.
        numbers = self._storage(tensor.storage, np.dtype(f"V{kind.itemsize}"))
        if 0 in tensor.shape:
            return np.zeros(tensor.shape, kind)
        steps = zip(tensor.shape, tensor.strides, strict=True)
        if tensor.offset + sum((size - 1) * step for size, step in steps) >= len(numbers):
            self._wrong(f"{name!r} reaches beyond its storage")
        strides = tuple(step * kind.itemsize for step in tensor.strides)
        copied = np.array(as_strided(numbers[tensor.offset :], tensor.shape, strides), order="C").view(kind)
        return copied.byteswap() if self._is_swapped() else copied

    def _storage(self, storage: _Storage, kind: np.dtype[Any]) -> Array:
        """What lies in a storage; where several tensors share it, it is read once."""
        file = f"{self.folder}data/{storage.key}"
        if file not in self.sizes:
            self._wrong(f"storage {storage.key!r} is missing")
        if file not in self.storages:
            self.storages[file] = np.frombuffer(self.archive.read(file), np.uint8)
        content = self.storages[file]
        return content[: len(content) // kind.itemsize * kind.itemsize].view(kind)

    def _is_swapped(self) -> bool:
        file = f"{self.folder}byteorder"
        return file in self.sizes and self.archive.read(file) == b"big"

    def _wrong(self, reason: str) -> NoReturn:
        checks.wrong(f"{self.name} must hold tensors by name, as torch.save(model.state_dict(), path) writes; {reason}")


def _tensors(name: str, value: object, seen: set[int]) -> Iterator[tuple[str, _Tensor]]:
    """The tensors in dictionaries within dictionaries, each of which is looked into once: one may hold itself."""
    if isinstance(value, _Tensor):
        yield name or "tensor", value
    elif isinstance(value, Mapping) and id(value) not in seen:
        seen.add(id(value))
        for key, entry in value.items():
            yield from _tensors(f"{name}.{key}" if name else str(key), entry, seen)


def _is_sound(tensor: _Tensor) -> bool:
    """Whether what the pickle says of a tensor may be computed with; it may also have changed one that it had made."""
    numbers = (tensor.offset, *tensor.shape, *tensor.strides)
    return (
        isinstance(tensor.storage, _Storage)
        and tensor.dtype in _DTYPES
        and len(tensor.shape) == len(tensor.strides) <= 64
        and all(type(number) is int and 0 <= number <= checks.INDEX_MAX for number in numbers)
    )


class _Unpickler(pickle.Unpickler):
    """Knows dictionaries and tensors, and calls nothing else."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="utf-8")

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name in a pickle; raises `checks.Rejected` for all but a few."""
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if module in ("torch", "torch.storage") and name.removesuffix("Storage") in _STORAGES:
            return _Type(_STORAGES[name.removesuffix("Storage")])
        if module == "torch" and name in _DTYPES:
            return _Type(name)
        return checks.wrong(f"it names {module}.{name}, and what a pickle names can run any code")

    def persistent_load(self, pid: Any) -> _Storage:
        """A storage, which the pickle holds by its key."""
        kind, of, key, *_ = pid
        if kind != "storage" or not isinstance(of, _Type) or not isinstance(key, str):
            checks.wrong("it refers to something that is no storage")
        return _Storage(key, of)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    """Stands for torch._utils._rebuild_tensor_v2: a view of a storage of one type."""
    return _Tensor(storage, offset, shape, strides, storage.type.name)


def _tensor_of_bytes(
    storage: Any, offset: Any, shape: Any, strides: Any, _: Any, __: Any, dtype: Any, *___: Any
) -> Any:
    """Stands for torch._utils._rebuild_tensor_v3: a view of bytes as another type."""
    return _Tensor(storage, offset, shape, strides, dtype.name)


def _parameter(data: Any, *_: Any) -> Any:
    """Stands for torch._utils._rebuild_parameter."""
    return data


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_of_bytes,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch.storage", "UntypedStorage"): _Type(None),
    ("torch", "Size"): tuple,
}
