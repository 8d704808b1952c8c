"""The JSON file of a run."""

import json

import pytest
from bench_layers import measured, record, small_layer

from tconv.bench.record import NoRecord, Record

pytestmark = pytest.mark.quick

FULL = record(
    [
        measured(small_layer("a"), {"torch": {"default": 1e-3}}, peak=1e11, bandwidth=1e10),
        measured(small_layer("b", stride=2), {}, failures={"jax": {"channels_last": "it broke"}}),
    ],
    skipped={"openvino": "not installed"},
)


def test_a_record_survives_its_file(tmp_path):
    FULL.write(tmp_path / "times.json")
    assert Record.read(tmp_path / "times.json") == FULL
    assert [path.name for path in tmp_path.iterdir()] == ["times.json"]
    held = json.loads((tmp_path / "times.json").read_text())
    assert held["layers"][0]["timings"]["torch"]["default"] == {"seconds": 1e-3, "turns": 7, "error": 1e-7}
    assert held["layers"][1]["failures"] == {"jax": {"channels_last": "it broke"}}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 0}', '{"format": 2, "layers": [{}]}', "rubbish"])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    path = tmp_path / "times.json"
    path.write_text(text)
    with pytest.raises(NoRecord, match=r"times\.json holds no measurements of `tconv bench`: "):
        Record.read(path)


def test_records_are_comparable_on_one_machine_in_one_way_on_any_day():
    other = record([])
    other.machine["date"] = "2027-01-01"
    assert record([]).differs_from(other) == ""
    other.machine["processor"] = "Abacus 4000"
    assert record([], threads=2).differs_from(other) == (
        "processor: Abacus 4000 there, Abacus 3000 here; threads: 1 there, 2 here"
    )
    assert record([], skipped={"jax": "gone"}).differs_from(record([])) == "skipped: {} there, {'jax': 'gone'} here"
