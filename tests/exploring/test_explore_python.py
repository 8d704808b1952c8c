"""What Python does with the page: its address, its file, its output in notebooks, the command, the widget."""

import html
import json
import subprocess
import sys

import pytest
from drawn import NAMED, random_geometry
from port import ask, record

import tconv
from tconv.cli import main
from tconv.exploring.address import address, options

command_line = pytest.importorskip("tconv.cli.options", exc_type=ModuleNotFoundError)

pytestmark = pytest.mark.quick

GEOMETRY = tconv.Geometry.conv_transpose((3, 3), 3, stride=2, padding=1)
GEOMETRIES = [*NAMED.values(), *map(random_geometry, range(200))]


def test_options_give_the_geometry_back_and_are_those_of_the_page():
    for geometry in GEOMETRIES:
        said = {name.replace("-", "_"): text for name, text in options(geometry).items()}
        given = {"fine": None, "stride": "1", "padding_text": said.pop("padding", "0"), "output_padding": None,
                 "output_size": None, "dilation": "1", **said}  # fmt: skip
        assert command_line.geometry(**given) == geometry
    answers = ask(["optionsOf", record(geometry), "coarse"] for geometry in GEOMETRIES)
    assert answers == [options(geometry) for geometry in GEOMETRIES]


def test_an_address_says_what_is_asked_for():
    assert address(None, "scatter") == "view=scatter"
    assert (
        address(GEOMETRY, "gather", 2, "zh", "dark")
        == "view=gather&coarse=3x3&kernel=3&stride=2&padding=1&step=2&lang=zh&theme=dark"
    )


def test_channels_are_said_too():
    start = tconv.explore(GEOMETRY, "channels", in_channels=8, out_channels=8, groups=8, step=7).start
    assert start == "view=channels&coarse=3x3&kernel=3&stride=2&padding=1&in-channels=8&out-channels=8&groups=8&step=7"


def test_the_file_begins_with_the_geometry(tmp_path):
    page = tconv.explore(GEOMETRY, "matrix", step=0)
    page.save(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert f'data-start="{html.escape(page.start)}"' in text
    assert text == page.html
    assert tconv.explore().start == "view=scatter"


def test_a_notebook_has_the_whole_page():
    page = tconv.explore(GEOMETRY, height=500)
    frame = page._repr_html_()
    assert frame.startswith('<iframe width="100%" height="500"')
    assert html.unescape(frame.partition('srcdoc="')[2].rpartition('"')[0]) == page.html


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"geometry": 3}, "explore: geometry must be a tconv.Geometry; got 3"),
        ({"view": "x"}, 'explore: view must be one of "scatter", "gather",'),
        ({"lang": "fr"}, 'explore: lang must be one of "auto", "en", "zh"; got \'fr\''),
        ({"theme": "blue"}, 'explore: theme must be one of "auto", "light", "dark"'),
        ({"step": 9}, "explore: step must be below 9, the steps of this view; got 9"),
        ({"step": -1}, "explore: step must be an integer of at least 0; got -1"),
        ({"in_channels": 3, "groups": 2}, "explore: groups must divide in_channels = 3; got 2"),
        ({"view": "channels", "step": 4}, "explore: step must be below 4, the steps of this view; got 4"),
        (
            {"geometry": tconv.Geometry.conv_transpose((300, 300), 200)},
            "explore: geometry must have a kernel of at most 10000 taps for the page; got 40000",
        ),
        (
            {"geometry": tconv.Geometry.conv_transpose((10**8, 10**8), 3)},
            "explore: geometry must have counts below 2**53 for the page; got",
        ),
        ({"height": 5}, "explore: height must be an integer of at least 100; got 5"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises((ValueError, TypeError)) as refused:
        tconv.explore(**{"geometry": GEOMETRY, **arguments})
    assert str(refused.value).startswith(message)


def test_the_command_writes_the_page_or_opens_it(tmp_path, capsys, monkeypatch):
    target = tmp_path / "page.html"
    arguments = ["--fine", "5x5", "--kernel", "3", "--stride", "2", "--padding", "1", "--view", "both"]
    assert main(["explore", *arguments, "-o", str(target)]) == 0
    assert 'data-start="view=both&amp;coarse=3x3&amp;kernel=3' in target.read_text("utf-8")
    assert capsys.readouterr().out == f"written to {target}\n"
    seen = []
    monkeypatch.setattr("webbrowser.open", lambda url: seen.append(url) or True)
    assert main(["explore", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["opened"]
    assert seen[0].startswith("file:")
    assert seen[0].endswith("/explore.html")
    assert main(["explore", "--stride", "2"]) == 2
    assert "--kernel must be given" in capsys.readouterr().err
    assert main(["explore", "--view", "x", "-o", str(target)]) == 2
    assert "view must be one of" in capsys.readouterr().err


def test_a_widget_keeps_view_language_and_theme():
    widget = pytest.importorskip("tconv.exploring.widget")
    explorer = widget.Explorer(GEOMETRY, "phases", lang="zh", theme="dark")
    assert explorer.geometry == GEOMETRY
    explorer.geometry = other = tconv.Geometry.conv_transpose(7, 4, stride=3, padding=((1, 2),), dilation=2)
    assert explorer.geometry == other
    assert explorer.start == f"{address(other, 'phases', None, 'zh', 'dark')}"
    with pytest.raises(TypeError, match=r"Explorer\.geometry: geometry must be a tconv\.Geometry"):
        explorer.geometry = "x"


def test_without_anywidget_it_is_said_what_is_missing():
    code = "import sys; sys.modules['anywidget'] = None; import tconv.exploring.widget"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'tconv[widget]'" in done.stderr
