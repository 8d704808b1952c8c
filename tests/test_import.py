"""`import tconv` is light: it loads numpy and nothing heavier, and takes less than 100 ms more than numpy does."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

OPTIONAL = ("scipy", "llvmlite", "torch", "tensorflow", "keras", "jax", "onnx", "onnxruntime", "matplotlib", "PIL")
OPTIONAL += ("typer", "rich")

PROBE = f"""
import sys
{{statement}}
print([name for name in {OPTIONAL} if name in sys.modules])
"""

TIMER = """
import time, numpy
start = time.perf_counter()
{statement}
print(time.perf_counter() - start)
"""


def fresh_interpreter(program: str, statement: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", program.format(statement=statement)], capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def seconds(statement: str) -> float:
    """The best of a few: a slow one says that the machine was busy."""
    return min(float(fresh_interpreter(TIMER, statement)) for _ in range(5))


def test_import_loads_nothing_optional():
    assert fresh_interpreter(PROBE, "import tconv") == "[]"


def test_the_probe_can_fail():
    assert fresh_interpreter(PROBE, "import tconv, scipy.sparse") == "['scipy']"


def test_numpy_arrays_do_not_load_jax():
    statement = "import numpy, tconv; tconv.conv_transpose(numpy.ones((1, 1, 3)), numpy.ones((1, 1, 3)), method='gemm')"
    assert "jax" not in fresh_interpreter(PROBE, statement)


def test_a_broken_jax_harms_neither_arrays_nor_commands(tmp_path):
    """A module that fails half-way stays out of everybody's way, as one that is missing does."""
    (tmp_path / "jax.py").write_text("raise RuntimeError('broken')")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import numpy, tconv\n"
        "from tconv.cli import main\n"
        "sys.modules['jax'] = type(sys)('jax')\n"  # what an import that is still under way looks like
        "tconv.conv_transpose(numpy.ones((1, 1, 3)), numpy.ones((1, 1, 3)), method='gemm')\n"
        "try: tconv.conv_transpose([1.0], numpy.ones((1, 1, 3)))\n"
        "except TypeError as error: assert 'x must be a NumPy array' in str(error)\n"
        "del sys.modules['jax']\n"
        "print(main(['size', '--coarse', '4', '--kernel', '2', '--stride', '2']))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith(("0", "None"))


MISSING = """
import sys
sys.modules[{module!r}] = None
try: {statement}
except ModuleNotFoundError as error: print(error.name, error)
print(*(name for name in sys.modules if name.startswith("tconv.{extra}")))
"""


@pytest.mark.parametrize(("extra", "name"), [("torch", "PyTorch"), ("jax", "JAX"), ("onnx", "onnx"), ("dask", "Dask")])
def test_what_is_missing_is_said_plainly(extra, name):
    for statement in (f"import tconv.{extra}", f"from tconv import {extra}"):
        program = MISSING.format(module=extra, extra=extra, statement="{statement}")
        assert fresh_interpreter(program, statement) == (
            f"{extra} tconv.{extra} needs {name}, which is not installed: pip install 'tconv[{extra}]'"
        )


@pytest.mark.parametrize("extra", ["torch", "jax", "onnx", "dask"])
def test_what_is_broken_says_so_itself(tmp_path, extra):
    (tmp_path / f"{extra}.py").write_text("import one_that_is_missing")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{{statement}}"
    statement = f"try: import tconv.{extra}\nexcept ModuleNotFoundError as error: print(error)"
    assert fresh_interpreter(program, statement) == "No module named 'one_that_is_missing'"


@pytest.mark.parametrize("extra", ["torch", "jax", "onnx", "dask"])
def test_the_extra_that_is_named_exists(extra):
    with open(Path(__file__).parents[1] / "pyproject.toml", "rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    assert any(needed.startswith(extra) for needed in extras[extra])


def test_import_takes_less_than_100_ms():
    assert seconds("import tconv") < 0.1


def test_the_timer_can_fail():
    assert seconds("import tconv, time; time.sleep(0.1)") > 0.1


def test_every_public_name_exists_and_is_documented():
    import tconv

    for name in tconv.__all__:
        assert getattr(tconv, name).__doc__, name
