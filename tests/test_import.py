"""`import tconv` is light: it loads numpy and nothing heavier, and takes less than 100 ms more than numpy does."""

import subprocess
import sys

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


def test_import_takes_less_than_100_ms():
    assert seconds("import tconv") < 0.1


def test_the_timer_can_fail():
    assert seconds("import tconv, time; time.sleep(0.1)") > 0.1


def test_every_public_name_exists_and_is_documented():
    import tconv

    for name in tconv.__all__:
        assert getattr(tconv, name).__doc__, name
