"""Running an example in process, once for all tests of a file."""

import contextlib
import io
import re

import pytest

torch = pytest.importorskip("torch", exc_type=ModuleNotFoundError)
pytest.importorskip("sklearn", exc_type=ModuleNotFoundError)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Training on one thread gives the same numbers on machines with different numbers of cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run an example's `main` with --quick: what it printed, and the folder with its pictures."""

    def call(main, *arguments):
        folder = tmp_path_factory.mktemp("pictures")
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
            patch.setenv("COLUMNS", "100")
            patch.setenv("NO_COLOR", "1")
            main(["--quick", "--out", str(folder), *arguments])
        return printed.getvalue(), folder

    return call


@pytest.fixture(scope="module")
def rows():
    """The rows below the header of a table that was printed, as lists of cells."""

    def call(printed, header):
        lines = printed.splitlines()
        start = next(number for number, line in enumerate(lines) if re.split(r"  +", line) == header) + 2
        end = next((number for number in range(start, len(lines)) if not lines[number]), len(lines))
        return [re.split(r"  +", line) for line in lines[start:end]]

    return call
