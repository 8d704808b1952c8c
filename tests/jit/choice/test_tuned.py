"""What tuning found is kept as JSON, and found again only by who asks for the same, from the same sources."""

import json
import random
from dataclasses import replace

import problems
import pytest
from kind_cases import CASES, every_case, every_target, scheduled
from needs import needs_modes

import tconv
from tconv.jit import engine
from tconv.jit.choice import choose, model, tuned
from tconv.jit.choice.search import variations
from tconv.jit.machine import isa
from tconv.jit.schedules.registry import KINDS

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def nothing_remembered(folder, monkeypatch):
    """No choice of an earlier test, in this process or on disk."""
    monkeypatch.setattr(tuned, "_here", {})
    engine.forget()
    yield
    engine.forget()


@every_case
@every_target
def test_json_and_back(kind, target):
    given, last = CASES[kind]
    for schedule in (scheduled(kind, target), *variations(scheduled(kind, target), target)):
        found = tuned.from_json(tuned.to_json(schedule), given, last, target)
        # One that is not exact is never taken for who did not ask for it.
        assert found == (schedule if KINDS[kind].exact else None)


def changed(**values):
    said = json.loads(tuned.to_json(scheduled("pixels", isa.ISAS["avx512"])))
    return json.dumps({**said, **values}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"not JSON",
        b"[1, 2]",
        b"{}",
        b'{"kind": "pixels"}',
        changed(kind="unheard of"),
        changed(kind="channels"),
        changed(kind=["pixels"]),
        changed(vectors="2"),
        changed(vectors=2.0),
        changed(vectors=True),
        changed(vectors=1000),
        changed(flat=1),
        changed(cache_block=7),
        changed(cache_block=[1, 2]),
        changed(cache_block=[1, 2, "3"]),
        changed(cache_block=[1, 2, True]),
        changed(cache_block=[1, 2, 41]),
        changed(more=1),
    ],
)
def test_what_is_wrong_or_foreign_is_not_used(content):
    given, last = CASES["pixels"]
    target = isa.ISAS["avx512"]
    assert tuned.from_json(content, given, last, target) is None
    tuned._keep(tuned._key(given, last, target), content)
    assert choose.choose(given, last, target) == model.by_model(given, last, target)


def test_the_same_content_is_used_where_it_is_right():
    given, last = CASES["pixels"]
    target = isa.ISAS["avx512"]
    tuned._keep(tuned._key(given, last, target), changed(cache_block=[1, 2, 40], flat=False))
    assert choose.choose(given, last, target).cache_block == (1, 2, 40)


@needs_modes
def test_what_others_may_have_written_is_not_used(folder):
    given, last = CASES["pixels"]
    target = isa.ISAS["avx512"]
    assert tuned.remember(given, last, target, variations(scheduled("pixels", target), target)[0])
    tuned._here.clear()
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="^tconv does not use its cache of compiled kernels: "):
        assert tuned.remembered(given, last, target) is None


def test_choices_of_other_sources_are_not_used(monkeypatch):
    given, last = CASES["pixels"]
    target = isa.ISAS["avx512"]
    assert tuned.remember(given, last, target, variations(scheduled("pixels", target), target)[0])
    tuned._here.clear()
    monkeypatch.setattr(tuned, "_sources", lambda: "e" * 16)
    assert tuned.remembered(given, last, target) is None


def test_keys_differ_where_problems_do():
    rng = random.Random(0)
    drawn = {problems.problem(rng.choice) for _ in range(300)}
    changed = {
        replace(p, geometry=tconv.Geometry([replace(axis, **{name: getattr(axis, name) + 1}), *p.geometry.axes[1:]]))
        for p in drawn
        for axis in p.geometry.axes[:1]
        for name in ("coarse", "kernel", "stride")
    }
    changed |= {replace(p, batch=p.batch + 1) for p in drawn}
    asked = [(p, last, target) for p in drawn | changed for last in (False, True) for target in isa.ISAS.values()]
    assert len({tuned._key(*each) for each in asked}) == len(asked)
