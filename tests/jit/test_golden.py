"""What is generated is what it was, to the byte: the IR of kernels and loops, and the programs that they are given."""

import golden
import pytest

from tconv.jit.machine import isa


@pytest.fixture(scope="module")
def written(request):
    """What is written down; anew where that is asked for."""
    if request.config.option.update_golden:
        found = {}
        for name, target in isa.ISAS.items():
            for line, digest in golden.generated(target):
                found.setdefault(line, {})[name] = digest
        golden.write(found)
    return golden.read()


@pytest.mark.parametrize("name", isa.ISAS)
def test_generated_code_and_programs_are_what_they_were(written, name):
    found = dict(golden.generated(isa.ISAS[name]))
    changed = [line for line, digest in found.items() if written.get(line, {}).get(name) != digest]
    assert not changed, f"{changed}; if that is meant, pytest tests/jit/test_golden.py --update-golden"
    assert found.keys() == written.keys()
