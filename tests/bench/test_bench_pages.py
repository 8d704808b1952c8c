"""The pages of measurements are what the records in benchmarks/results/ give."""

import json
import shutil

import pytest

from benchmarks.pages import __main__ as command
from benchmarks.pages import engine, figures, means, methods, of_conv, of_models, pytorch, texts
from benchmarks.pages.markdown import table
from benchmarks.record import RESULTS, Record

pytestmark = pytest.mark.quick

TEXTS = {path.name: path.read_text(encoding="utf-8") for path in RESULTS.glob("*.md")}
RECORDS = texts.read()
#: Texts whose records are all there; the others have no page yet.
WRITTEN = {name: text for name, text in TEXTS.items() if set(texts.named(text)) <= set(RECORDS)}


def test_pages_are_what_the_records_give():
    different = [str(path.relative_to(texts.DOCS.parent)) for path in command.out_of_date()]
    assert not different, f"not what benchmarks/results/ gives: {', '.join(different)}; run `{texts.COMMAND}`"


def test_every_page_of_tables_has_its_text():
    assert {path.name for path in (texts.DOCS / "performance").iterdir()} == set(WRITTEN)


def test_every_record_is_on_a_page_and_every_page_has_a_record():
    named = {name: set(texts.named(text)) for name, text in WRITTEN.items()}
    assert set.union(*named.values()) == set(RECORDS)
    assert all(named.values())


def test_tables_stand_in_no_text():
    assert not [name for name, text in TEXTS.items() if "\n|" in text]


def test_every_kind_of_table_is_used():
    assert {kind for text in TEXTS.values() for kind in texts.kinds(text)} == {*texts.TABLES, "conditions"}


@pytest.mark.parametrize("name", RECORDS)
def test_records_are_as_they_are_written(name):
    text = (RESULTS / f"{name}.json").read_text(encoding="utf-8")
    assert text == RECORDS[name].text()
    assert set(RECORDS[name].machine) == {"processor", "cores", "instructions", "system", "python", "versions", "date"}


def test_the_page_that_people_read_is_short():
    assert len((texts.DOCS / "performance.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The texts and records, and the pages, as they are, in folders of the test."""
    results, docs = shutil.copytree(RESULTS, tmp_path / "results"), shutil.copytree(texts.DOCS, tmp_path / "docs")
    monkeypatch.setattr(command, "DOCS", docs)
    monkeypatch.setattr(command, "pages", lambda: texts.pages(results, docs))
    return results, docs


def test_check_names_what_differs_and_the_command_mends_it(elsewhere, capsys):
    results, docs = elsewhere
    assert command.main(["--check"]) == 0
    path = results / "engine-one-thread.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"prepared": 0.262', '"prepared": 0.131'), encoding="utf-8"
    )
    before = (docs / "performance.md").read_text(encoding="utf-8")
    assert command.main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "docs/performance/one-thread.md: is out of date",
        "docs/performance.md: is out of date",
        "run python -m benchmarks.pages",
    ]
    assert (docs / "performance.md").read_text(encoding="utf-8") == before
    assert command.main([]) == 0
    assert "14.35" in (docs / "performance" / "one-thread.md").read_text(encoding="utf-8")
    assert command.main(["--check"]) == 0


def test_without_markers_nothing_is_written():
    with pytest.raises(ValueError, match=r"docs/performance\.md must have the two lines"):
        texts.between("# Performance\n", ["a table"])


def row(layer, best, prepared, **others):
    return {"layer": layer, "best peer": "torch", "ms": {"best": best, "prepared": prepared}, **others}


def test_what_follows_from_times_is_computed():
    record = Record("", {}, [row("s1.k3", 4.0, 2.0), row("dcgan.1", 1.0, 2.0)])
    found = engine.of_all(record, "prepared / best peer")
    assert found == (2, pytest.approx(1.0), 0.5, 1)
    assert engine.of_all(record, "functional / PyTorch's") is None
    assert figures.gflops(record.rows[0], "prepared") == pytest.approx(451.5, rel=1e-2)


def test_what_a_record_says_itself_is_taken():
    kept = {"prepared / best peer": {"layers": 100, "mean": 2.17, "least": 0.74}}
    record = Record("", {}, [row("s1.k3", 4.0, 2.0, ratio={"prepared / best peer": 1.99})], kept)
    assert engine.of(record.rows[0], "prepared / best peer") == 1.99
    assert engine.of_all(record, "prepared / best peer").cells() == ["100", "2.17", "0.74", "-"]


def test_models_that_fail_have_no_ratio():
    rows = [{"model": "a", "ms": {"eager": 2.0, "accelerate": 1.0}}, {"model": "b", "ms": {"eager": 2.0}}]
    assert of_models.of_all(Record("", {}, rows)).cells() == ["1", "2.00", "2.00", "0"]


def test_what_auto_loses():
    rows = [
        {"layer": "dcgan.4", "ms": {"gemm": 1.0, "phases": 1.1, "auto": 1.1}, "picked": "phases"},
        {"layer": "s1.k3", "ms": {"gemm": 1.0, "phases": 2.0, "auto": 1.0}, "picked": "gemm"},
    ]
    assert methods.chosen(Record("", {}, rows)) == {"layers": 2, "at 1": 1, "most": 1.1, "most on": "dcgan.4"}


def test_minimal_filtering_stands_beside_the_ratio_and_does_not_count():
    exact = {"layer": "resnet.1x1", "ms": {"torch contiguous": 3.0, "tconv channels first": 2.0}}
    ms = {
        "torch contiguous": 8.0,
        "tconv channels last": 4.0,
        "winograd channels first": 3.0,
        "winograd channels last": 2.0,
    }
    both = {"layer": "vae.3x3", "ms": ms, "error": {"tconv": 2e-7, "winograd": 4e-6}}
    assert "winograd" not in "".join(of_conv.layers(Record("", {}, [exact])))
    lines = of_conv.layers(Record("", {}, [exact, both]))
    cells = [[cell.strip() for cell in line.split("|")[-5:-1]] for line in lines[2:4]]
    assert cells == [["1.50", "-", "-", "-"], ["2.00", "2", "4.00", "4.0e-06"]]
    assert lines[5] == "Geometric mean 1.73, least 1.50."
    about = " ".join(lines[7:])
    assert about.startswith("On 1 layer minimal filtering")
    assert "is 4.00 times as fast as PyTorch and 2.00 times" in about
    assert about.endswith("at most 4.0e-06, by the definition 2.0e-07.")


def test_what_has_no_figures_is_named():
    with pytest.raises(ValueError, match="a record of `tconv bench` has no forward, contiguous"):
        pytorch.of_all(Record("tconv bench", {}, []), "forward", "contiguous")


def test_all_means_are_shown():
    assert len(means.overview(RECORDS)) == 2 + len(means.MEANS) + 1 + 2 + len(means.ROOFLINES)


def test_a_table_is_aligned_but_for_long_words_at_its_end():
    assert table(["layer", "ms", "why"], [["a", "1.5", "because"], ["bcdefg", "10", "so"]], words=["why"]) == [
        "| layer  |  ms | why |",
        "| ------ | --: | --- |",
        "| a      | 1.5 | because |",
        "| bcdefg |  10 | so  |",
    ]


def test_a_file_of_something_else_is_named(tmp_path):
    (tmp_path / "one.json").write_text("[1, 2")
    with pytest.raises(ValueError, match=r"one\.json is no record: Expecting"):
        texts.read(tmp_path)


def test_a_record_is_small_and_an_entry_a_line(tmp_path):
    record = Record(
        "tconv bench", {"cores": 2}, [row("s1.k3", 4.0, 2.0), row("dcgan.1", 1.0, 2.0)], {"all": {"mean": 1.0}}
    )
    record.write(tmp_path / "one.json")
    assert Record.read(tmp_path / "one.json") == record
    text = record.text()
    assert json.loads(text)["rows"] == record.rows
    assert '\n  {"layer": "dcgan.1", "best peer": "torch", "ms": {"best": 1.0, "prepared": 2.0}}\n' in text
