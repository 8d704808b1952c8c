"""From IR to machine code in this process: compile, or take from the cache of an earlier process; load.

What is compiled is an object file. It is kept on disk (`cache.py`) and put into memory without LLVM (`loader.py`), so
that a process which needs only code that is known never loads llvmlite.
"""

from __future__ import annotations

import ctypes
import hashlib
import platform
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tconv._version import __version__
from tconv.forks import uninterrupted
from tconv.jit.machine import cache as disk
from tconv.jit.machine import loader
from tconv.jit.machine.ir import Module
from tconv.jit.machine.isa import Isa
from tconv.jit.machine.loader import TABLE
from tconv.jit.machine.relocations import Refused
from tconv.jit.machine.sources import HERE, digest
from tconv.jit.machine.systems import host


class Unavailable(RuntimeError):
    """No machine code can be had here; the text says why."""


def available() -> str:
    """Why no code can be generated here, or none can be run; "" if it can. Loads nothing."""
    if host() is None:
        return f"no kernels are generated for this processor ({platform.machine()})"
    return loader.refusal() or ("" if _installed() else "llvmlite is not installed: pip install llvmlite")


#: Whether llvmlite was found. Only that is kept: looking for it takes a quarter of a millisecond, longer than a plan.
_found = False


def _installed() -> bool:
    global _found
    _found = _found or find_spec("llvmlite") is not None
    return _found


def assembly(text: str, isa: Isa) -> str:
    """The machine code of a module's IR as text, for any of the processors in `isa.ISAS`."""
    with uninterrupted:
        return str(_target(isa).emit_assembly(_parsed(text, isa)))


def function(module: Module, name: str, arguments: list[Any], returns: Any = None) -> Any:
    """One function of a module, which C's conventions call; its code stays loaded."""
    return ctypes.CFUNCTYPE(returns, *arguments)(addresses(module, [name])[name])


def addresses(module: Module, names: Iterable[str]) -> dict[str, int]:
    """Where functions of a module lie, now that it is loaded."""
    text = str(module)
    with uninterrupted:
        return load(object_file(text, lambda: text, module.isa), module.isa, names)


def quickly(what: str, text: Callable[[], str], isa: Isa, names: Iterable[str]) -> dict[str, int]:
    """Where functions of a module lie, from a description of it and its IR, for code that must compile in little time.

    That takes a sixth of the time, and the code a third longer.
    """
    with uninterrupted:
        return load(object_file(what, text, isa, quickly=True), isa, names)


def object_file(what: str, text: Callable[[], str], isa: Isa, *, quickly: bool = False) -> bytes:
    """The object of a module, from a description of it and its IR: found on disk, or compiled and kept there."""
    if not _runs_here(isa):
        raise Unavailable(f"kernels for {isa.name} do not run on this processor ({platform.machine()})")
    key, compiler = _key(what, isa), _compiler()
    data = disk.read(key, compiler)
    if data is None:
        data = _compiled(text(), isa, quickly)
        if compiler:
            disk.write(key, compiler, data)
    return data


def load(data: bytes, isa: Isa, names: Iterable[str], table: Sequence[int] = ()) -> dict[str, int]:
    """Where the functions of an object lie, now that it is loaded, with a table of addresses; it is never freed."""
    try:
        return loader.load(data, table)
    except Refused:
        return _by_llvm(data, isa, names, table)
    except OSError as error:
        raise Unavailable(f"kernels cannot be run: {error.strerror}") from None


# ---- what an entry of the cache depends on


def _key(what: str, isa: Isa) -> str:
    """Machine code depends on what is asked for, on the processor, and on the code that generates it.

    Who asks by a description, not by IR, names in it a digest of what turns it into IR.
    """
    parts = (__version__, _generator(), repr(isa), what)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@lru_cache(maxsize=1)
def _generator() -> str:
    """A digest of the sources that all machine code comes from, beside those of what is asked for."""
    names = ("compile", "elementary", "ir", "isa", "shuffles", "systems")
    return digest("", (HERE / "machine" / f"{name}.py" for name in names))


@lru_cache(maxsize=1)
def _compiler() -> str | None:
    """Which llvmlite and which LLVM compile here, without loading them; None if there is none.

    LLVM's own version is known only once it is loaded. The size of the library stands for it: llvmlite is linked with
    LLVM into one file of 170 MB, and no two of them are alike.
    """
    spec = find_spec("llvmlite")
    if spec is None or spec.origin is None:
        return None
    here = Path(spec.origin).parent
    found = hashlib.sha256()
    try:
        found.update((here / "_version.py").read_bytes())
        for library in sorted(here.glob("binding/*llvmlite.*")):
            found.update(f"{library.name} {library.stat().st_size}".encode())
    except OSError:
        pass
    return found.hexdigest()[:16]


# ---- LLVM


def _binding() -> Any:
    try:
        from llvmlite import binding
    except (ImportError, OSError) as error:  # OSError: its library does not load
        raise Unavailable(f"kernels cannot be compiled: {available() or error}") from error
    return binding


def _runs_here(isa: Isa) -> bool:
    """Whether the code is for the system and the processor of this process."""
    return (isa.system, isa.architecture) == host()


def _target(isa: Isa, **options: Any) -> Any:
    binding = _binding()
    if _runs_here(isa):
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
    else:
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
    # Position independent, so that code and constants lie anywhere and refer to each other by distance.
    options = {"opt": 2, "reloc": "pic", "codemodel": "small", **options}
    return binding.Target.from_triple(isa.triple).create_target_machine(cpu="", features=isa.features, **options)


def _parsed(text: str, isa: Isa) -> Any:
    module = _binding().parse_assembly(text)
    module.triple = isa.triple
    module.verify()
    return module


def _compiled(text: str, isa: Isa, quickly: bool = False) -> bytes:
    """An object file."""
    module = _parsed(text, isa)
    if not quickly:
        return bytes(_compiling(isa).emit_object(module))
    binding, target = _binding(), _target(isa, opt=0)
    builder = binding.create_pass_builder(target, binding.create_pipeline_tuning_options(speed_level=0))
    passes = binding.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_sroa_pass()  # variables into registers
    passes.run(module, builder)
    return bytes(target.emit_object(module))


@cache
def _compiling(isa: Isa) -> Any:
    """The target that all object files come from: LLVM takes a millisecond to begin with a new one."""
    return _target(isa)


def _by_llvm(data: bytes, isa: Isa, names: Iterable[str], table: Sequence[int] = ()) -> dict[str, int]:
    """What `loader.load` does, by LLVM, for the systems and objects that it refuses."""
    if reason := loader.refusal():  # LLVM would go on without executable memory
        raise Unavailable(f"kernels cannot be run: {reason}")
    binding = _binding()
    listed = ", ".join(f"ptr inttoptr (i64 {address} to ptr)" for address in table)
    beside = f"@{TABLE} = constant [{len(table)} x ptr] [{listed}]"
    engine = binding.create_mcjit_compiler(_parsed(beside, isa), _target(isa, jit=True))
    engine.add_object_file(binding.ObjectFileRef.from_data(data))
    engine.finalize_object()
    # It owns the memory, and is never freed, even as the process ends: threads still run this code then.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
    return {name: engine.get_function_address(name) for name in names}
