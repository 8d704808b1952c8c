"""What `benchmarks.whole_models` keeps of models, and the tables that pages have of it."""

import json
import shutil
import sys
from types import SimpleNamespace

import pytest

from benchmarks import whole_models
from benchmarks.pages import of_models, texts
from benchmarks.record import RESULTS, Record

pytestmark = pytest.mark.quick


def model(name, seconds, *, convolutional=True, differs=(), failures=()):
    row = {"model": name, "inputs": "1 s", "convolutional": convolutional, "ready": dict.fromkeys(seconds, 1.234567)}
    return {**row, "seconds": seconds, "differs": dict(differs), "failures": dict(failures)}


ROWS = [
    model(
        "Vocoder", {"eager": 0.2, "accelerate": 0.1, "torch.compile": 0.16, "openvino": 0.08}, differs={"eager": 0.0}
    ),
    model(
        "Head",
        {"eager": 0.4, "accelerate": 0.1, "torch.compile": 0.2},
        convolutional=False,
        differs={"accelerate": 2e-4, "torch.compile": None},
        failures={"openvino": "no such operator"},
    ),
    model("Broken", {}, failures={"process": "ended with -9"}),
]
RECORD = Record("python -m benchmarks.whole_models", {}, [whole_models.kept(row) for row in ROWS])


def cells(lines):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("| -")]


def test_a_record_has_milliseconds_and_the_reasons():
    assert RECORD.rows[0]["ms"] == {"eager": 200.0, "accelerate": 100.0, "torch.compile": 160.0, "openvino": 80.0}
    assert RECORD.rows[0]["ready"]["openvino"] == 1.2346
    assert RECORD.rows[1]["differs"] == {"accelerate": 2e-4, "torch.compile": None}
    assert RECORD.rows[2]["failures"] == {"process": "ended with -9"}


def test_a_model_has_its_time_and_ratios():
    found = cells(of_models.ways(RECORD))
    assert found[0] == ["model", "inputs", "eager ms", "accelerate", "torch.compile", "openvino"]
    assert found[1][2:6] == ["200", "2.00", "1.25", "2.50"]
    assert found[2][2:6] == ["400", "4.00 (differs)", "2.00", "-"]
    assert found[3][2:] == ["-"] * 4


def test_means_are_geometric_and_of_models_of_convolutions_apart():
    _, *rows = cells(of_models.in_short(RECORD))
    assert rows[0] == ["accelerate", "2.83", "2.00", "2.00", "2"]
    assert rows[2] == ["openvino", "2.50", "2.50", "2.50", "1"]
    two = Record("", {}, [*RECORD.rows, {**RECORD.rows[1], "ms": {"x": 1.0}}])
    assert cells(of_models.in_short(two))[-1] == ["x", "-", "-", "-", "0"]


def test_ahead_is_ahead_of_frozen_compile_and_of_the_best_of_all_others():
    _, *rows = cells(of_models.ahead(RECORD, RECORD))
    assert rows == [["accelerate", "2 of 2", "1 of 2", "2 of 2", "1 of 2"]]  # OpenVINO is ahead on the vocoder
    compiled = {**RECORD.rows[0], "ms": {**RECORD.rows[0]["ms"], "accelerate and compile": 60.0}}
    _, *rows = cells(of_models.ahead(Record("", {}, [compiled]), RECORD))
    assert rows[1] == ["accelerate and compile", "1 of 1", "1 of 1", "0 of 0", "0 of 0"]


def test_both_together_are_held_against_the_better_of_them():
    behind = {**RECORD.rows[0], "ms": {"accelerate": 100.0, "torch.compile": 160.0, "accelerate and compile": 125.0}}
    ahead = {**RECORD.rows[1], "ms": {"accelerate": 100.0, "torch.compile": 80.0, "accelerate and compile": 64.0}}
    _, row = cells(of_models.together(Record("", {}, [behind, ahead, RECORD.rows[2]]), RECORD))
    assert row == ["", "1.00", "0.80", "1 of 2", "-", "-", "-"]


def test_who_fails_has_a_reason():
    assert of_models.failures(RECORD) == ["- Head, openvino: `no such operator`", "- Broken, process: `ended with -9`"]
    assert of_models.failures(Record("", {}, RECORD.rows[:1])) == ["None."]


def test_what_is_printed_is_the_same():
    lines = whole_models.table(ROWS, ["eager", "accelerate", "openvino"])
    assert [line.split()[2] for line in lines[1:3]] == ["2.00", "4.00"]
    assert " ! " in lines[2]
    assert "accelerate: geometric mean 2.828 of 2, least 2.00" in lines
    assert lines[-2:] == ["Head, openvino: no such operator", "Broken, process: ended with -9"]


def test_a_text_waits_for_its_records(tmp_path):
    results, docs = shutil.copytree(RESULTS, tmp_path / "results"), shutil.copytree(texts.DOCS, tmp_path / "docs")
    (results / "waiting.md").write_text("{{ models_in_ways there }}\n{{ models_in_ways missing }}\n")
    (results / "there.json").write_text(json.dumps({"command": "", "machine": {}, "rows": list(RECORD.rows)}))
    page = docs / "performance" / "waiting.md"
    assert page not in texts.pages(results, docs)
    shutil.copy(results / "there.json", results / "missing.json")
    assert texts.pages(results, docs)[page].count("Vocoder") == 2


def test_a_file_of_rows_is_gone_on_with(tmp_path):
    file = tmp_path / "rows.json"
    assert whole_models._done(file) == {}
    file.write_text("\n".join(map(json.dumps, ROWS)))
    assert whole_models._done(file)["Head"] == ROWS[1]


@pytest.mark.parametrize("asked", [["eager", "ours", "both"], ["both"]])
def test_a_way_begins_with_a_copy_of_what_the_one_before_it_left(monkeypatch, asked):
    made = {name: lambda model, inputs, threads, name=name: model.append(name) for name in ("eager", "ours", "both")}
    monkeypatch.setitem(sys.modules, "benchmarks.ways", SimpleNamespace(WAYS=made, BEHIND={"both": "ours"}))
    models = {whole_models.UNTOUCHED: []}
    for which in asked:
        whole_models._ready(which, models, (), 1)
    assert models["both"] == ["ours", "both"]
    assert models["ours"] == ["ours"]
    assert models[whole_models.UNTOUCHED] == []
