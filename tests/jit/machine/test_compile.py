"""Machine code from kernels: compiled once, kept, and loaded in later processes without LLVM."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_kernel
from needs import needs_modes, needs_quick_starts

import tconv
from tconv.jit.kernels import linking
from tconv.jit.machine import compile as compiler
from tconv.jit.machine import isa, loader
from tconv.jit.schedules import layouts
from tconv.jit.schedules.pixels import sizes as pixels

HERE = Path(__file__).parents[1]


PARTS = len(tiny_kernel.PROGRAM.code.parts)


def works(machine):
    return tiny_kernel.error(machine) < 1e-5


def process(*, before="", **environment):
    """Run the tiny kernel in a process of its own."""
    program = f"import sys; sys.path.insert(0, {str(HERE)!r}); {before}\nimport tiny_kernel; tiny_kernel.main()"
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_compiled_once_and_then_loaded(folder, compiled):
    assert works(tiny_kernel.fresh())
    assert works(tiny_kernel.fresh())
    assert len(compiled) == len(list(folder.iterdir())) == PARTS


@needs_modes
def test_what_is_kept_is_private(folder):
    tiny_kernel.fresh()
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_second_process_needs_no_llvm(folder):
    first, second = process(), process(before="sys.modules['llvmlite'] = None")
    assert (first["kept"], first["llvm"], first["told"]) == (False, True, [])
    assert (second["kept"], second["told"]) == (True, [])
    assert max(first["error"], second["error"]) < 1e-5
    if sys.platform == "linux":
        assert not process()["llvm"]


def test_without_llvm_and_without_an_entry_the_error_says_what_to_install(folder):
    program = """
import sys
sys.modules["llvmlite"] = None
import tiny_kernel
from tconv.jit.machine import compile
try:
    tiny_kernel.fresh()
except compile.Unavailable as error:
    print(error, compile.available(), sep="\\n")
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=HERE, capture_output=True, text=True, check=True)
    reason = "llvmlite is not installed: pip install llvmlite"
    assert result.stdout == f"kernels cannot be compiled: {reason}\n{reason}\n"
    assert not folder.exists()


@needs_quick_starts
def test_eight_processes_at_once(folder):
    with ThreadPoolExecutor(8) as pool:
        results = [future.result() for future in [pool.submit(process) for _ in range(8)]]
    assert all(result["error"] < 1e-5 and result["told"] == [] for result in results)
    for part, data in tiny_kernel.kept().items():
        assert data == compiler._compiled(linking.ir(part, tiny_kernel.TARGET), tiny_kernel.TARGET)
    assert len(list(folder.iterdir())) == PARTS  # nothing unfinished


def test_a_truncated_kernel_is_compiled_again(folder, compiled):
    tiny_kernel.fresh()
    for path in folder.iterdir():
        good = path.read_bytes()
        path.write_bytes(good[: len(good) // 2])
        compiled.clear()
        assert works(tiny_kernel.fresh())
        assert len(compiled) == 1  # the others are as they were
        assert path.read_bytes() == good


def test_the_folder_may_disappear(folder, compiled):
    tiny_kernel.fresh()
    shutil.rmtree(folder.parent)
    assert works(tiny_kernel.fresh())
    assert works(tiny_kernel.fresh())
    assert len(compiled) == 2 * PARTS


def other_codes():
    """Of schedules that share kernels with the tiny one and with each other."""
    shared = []
    for shape, channels, last in (((8, 8), 8, False), ((8, 40), 4, False), ((8, 8), 4, True), ((9,), 4, False)):
        geometry = tconv.Geometry.conv_transpose(shape, 3, **tiny_kernel.SHAPE)
        problem = replace(tiny_kernel.PROBLEM, geometry=geometry, in_channels=channels, out_channels=channels)
        shared.append(pixels.make(problem, layouts.layout_of(problem, last), tiny_kernel.TARGET).code)
    return shared


def test_no_kernel_is_compiled_twice_whichever_schedules_have_it(folder, compiled):
    codes = [tiny_kernel.PROGRAM.code, *other_codes()]
    parts = {part for code in codes for part in code.parts}
    assert len(parts) < sum(len(code.parts) for code in codes) - 5
    for _ in range(2):
        tiny_kernel.forget()
        for code in codes:
            linking.linked(code, tiny_kernel.TARGET)
        assert len(compiled) == len(list(folder.iterdir())) == len(parts)
        assert works(linking.linked(codes[0], tiny_kernel.TARGET))


def test_a_process_that_can_keep_nothing_compiles_no_kernel_twice(folder, compiled):
    folder.parent.write_text("not a folder")
    codes = [tiny_kernel.PROGRAM.code, *other_codes()]
    tiny_kernel.forget()
    for code in codes:
        linking.linked(code, tiny_kernel.TARGET)
    assert len(compiled) == len({part for code in codes for part in code.parts})


def test_a_kernel_is_loaded_once_and_the_driver_with_each_table(folder, monkeypatch):
    tables, load = [], loader.load
    monkeypatch.setattr(loader, "load", lambda data, table: tables.append(list(table)) or load(data, table))
    tiny_kernel.forget()
    code = tiny_kernel.PROGRAM.code
    turned = replace(code, kernels=code.kernels[::-1])
    linking.linked(code, tiny_kernel.TARGET)
    linking.linked(turned, tiny_kernel.TARGET)
    first, second = filter(None, tables)
    assert second == first[::-1]
    assert len(tables) == len(set(code.kernels)) + 2 + 1


@needs_modes
def test_one_warning_a_process(folder):
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    [told] = process()["told"]
    assert told.startswith(f"tconv does not use its cache of compiled kernels: {folder} can be written by others")


def test_the_key_covers_all_that_machine_code_depends_on(monkeypatch):
    base = compiler._key("code", tiny_kernel.TARGET)
    assert base == compiler._key("code", tiny_kernel.TARGET)
    keys = {base, compiler._key("other", tiny_kernel.TARGET)}
    for field, value in (("features", "+avx"), ("vector_bytes", 128), ("fma", not tiny_kernel.TARGET.fma)):
        keys.add(compiler._key("code", replace(tiny_kernel.TARGET, **{field: value})))
    monkeypatch.setattr(compiler, "__version__", "0")
    keys.add(compiler._key("code", tiny_kernel.TARGET))
    monkeypatch.setattr(compiler, "_generator", lambda: "edited")
    keys.add(compiler._key("code", tiny_kernel.TARGET))
    assert len(keys) == 7


def test_a_library_that_does_not_load_is_an_error_that_says_so(folder, monkeypatch):
    class Broken:
        def find_spec(self, name, *_):
            if name == "llvmlite.binding":
                raise OSError("libllvmlite.so: cannot open shared object file")

    for name in [name for name in sys.modules if name.partition(".")[0] == "llvmlite"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(compiler.Unavailable) as refusal:
        tiny_kernel.fresh()
    assert str(refusal.value) == "kernels cannot be compiled: libllvmlite.so: cannot open shared object file"


def test_kernels_for_another_processor_are_not_run(folder):
    foreign = isa.ISAS["baseline" if isa.current().name == "neon" else "neon"]
    with pytest.raises(compiler.Unavailable, match=f"kernels for {foreign.name} do not run on this processor"):
        linking.linked(tiny_kernel.PROGRAM.code, foreign)
    assert not folder.exists()


def test_nothing_is_generated_for_unknown_processors(monkeypatch):
    assert compiler.available() == ""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    assert compiler.available() == "no kernels are generated for this processor (s390x)"


def test_llvmlite_is_looked_for_until_it_is_found(monkeypatch):
    answers = iter([None, "there"])
    monkeypatch.setattr(compiler, "_found", False)
    monkeypatch.setattr(compiler, "find_spec", lambda name: next(answers))
    missing = "llvmlite is not installed: pip install llvmlite"
    assert [compiler.available() for _ in range(3)] == [missing, "", ""]
