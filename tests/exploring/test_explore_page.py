"""The page as its readers use it: numbers against Python, keys, addresses, frames, widths, languages, downloads."""

import io
import json
import re
from random import Random

import numpy as np
import pytest
from browser import go, opened, said, texts, until
from drawn import random_geometry
from port import PAGE

import tconv
from tconv import explain as told
from tconv.cli.errors import UsageError
from tconv.conventions import DIALECTS, Layer
from tconv.draw import VIEWS, figure
from tconv.draw.layout import WIDE, place
from tconv.draw.sheet import Text
from tconv.exploring.address import address, options

Image = pytest.importorskip("PIL.Image", exc_type=ModuleNotFoundError)
command_line = pytest.importorskip("tconv.cli.options", exc_type=ModuleNotFoundError)

START = "view=scatter&coarse=3x3&kernel=3&stride=2&padding=1"
GEOMETRY = tconv.Geometry.conv_transpose((3, 3), 3, stride=2, padding=1)
#: Impossible, each for a reason of its own.
IMPOSSIBLE = (
    "coarse=2x2&kernel=3&padding=2",
    "coarse=3&kernel=0",
    "coarse=3&kernel=3&stride=two",
    "coarse=3&kernel=3&output-padding=1",
    "coarse=3x3&kernel=3x3x3",
    "coarse=3&kernel=3&padding=1:2:3",
    "fine=2&kernel=5",
    "coarse=3&fine=5&kernel=3",
    "coarse=&kernel=3",
    "coarse=-1&kernel=3",
    "coarse=3&kernel=1.5",
    "coarse=3&kernel=3&in-channels=3&groups=2",
)


def texts_of(geometry, view, language="en", **channels):
    scene = figure(geometry, view, lang=language, **channels).scene
    return [item.text for item in place(scene, language, WIDE).items if isinstance(item, Text)]


def test_it_is_one_small_file_that_opens_at_once(browser):
    assert PAGE.stat().st_size <= 100_000
    text = PAGE.read_text("utf-8")
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?!data:)\w", text.split("atob(")[0])
    with opened(browser, START) as page:
        took = page.evaluate(
            "new Promise(done => new PerformanceObserver(list => done(list.getEntries()[0].startTime))"
            ".observe({type: 'paint', buffered: true}))"
        )
        assert took < 1000
        assert texts(page) == texts_of(GEOMETRY, "scatter")


def test_numbers_are_those_of_python_on_random_geometries(browser):
    rng = Random(14)
    with opened(browser, START) as page:
        for seed in range(300):
            geometry, view, language = random_geometry(seed), rng.choice([*VIEWS]), rng.choice(("en", "zh"))
            go(page, address(geometry, view, lang=language))
            assert texts(page) == texts_of(geometry, view, language), (geometry, view)
            assert page.input_value("#field-fine") == "x".join(map(str, geometry.fine))
            assert page.input_value("#field-coarse") == "x".join(map(str, geometry.coarse))
            numbers = page.eval_on_selector_all(".numbers dd", "all => all.map(each => each.textContent)")
            for axis in geometry.axes:
                for line in (told.conv_formula(axis)[1], told.conv_transpose_formula(axis)[1],
                             told.coverage_along(axis)):  # fmt: skip
                    assert line in numbers, (geometry, line)
                assert any(told.remainder(axis)[1] in line for line in numbers)
            assert any(str(told.matrix(geometry).stored) in line for line in numbers)


def written(dialect, layer):
    """What a dialect says of a layer; nothing where it refuses it."""
    try:
        return str(dialect.write(layer))
    except ValueError:
        return ""


def test_code_is_that_of_every_dialect(browser):
    with opened(browser, START) as page:
        for seed in range(20):
            geometry = random_geometry(seed)
            go(page, address(geometry, "scatter") + "&in-channels=4&out-channels=6&groups=2")
            for name, dialect in DIALECTS.items():
                page.select_option("#framework", name)
                assert page.text_content("#code") == written(dialect, Layer(geometry, 4, 6, 2)), (geometry, name)


@pytest.mark.parametrize("typed", IMPOSSIBLE)
def test_what_is_impossible_is_explained_in_the_words_of_the_command_line(browser, typed):
    given = {name.replace("-", "_"): text for name, _, text in (part.partition("=") for part in typed.split("&"))}
    channels = {name: int(given.pop(name)) for name in ("in_channels", "groups") if name in given}
    arguments = {"coarse": None, "fine": None, "stride": "1", "padding_text": given.pop("padding", "0"),
                 "output_padding": None, "output_size": None, "dilation": "1", **given}  # fmt: skip
    with pytest.raises((UsageError, ValueError)) as refused:
        Layer(command_line.geometry(**arguments), **channels)
    expected = str(refused.value).replace("Layer: groups", "--groups").replace(" in_channels", " --in-channels")
    with opened(browser, f"view=scatter&{typed}") as page:
        assert page.text_content("#error strong") == expected
        assert page.is_visible(".sheet svg")
        go(page, START)  # a page that was possible keeps its picture
        before = texts(page)
        go(page, f"view=scatter&{typed}")
        assert page.text_content("#error strong") == expected
        assert texts(page) == before


def test_either_side_and_every_parameter_can_be_typed(browser):
    with opened(browser, START) as page:
        page.fill("#field-fine", "6x6")
        assert said(page) == {"view": "scatter", "fine": "6x6", "kernel": "3", "stride": "2", "padding": "1"}
        assert page.input_value("#field-output-padding") == "1"
        page.fill("#field-output-padding", "0")
        assert said(page)["coarse"] == "3x3"
        assert page.input_value("#field-fine") == "5x5"
        page.fill("#field-kernel", "4x2")
        page.fill("#field-padding", "1:2x0:0")
        page.click("[aria-label='stride: one more']")
        assert said(page)["stride"] == "3"
        g = tconv.Geometry.conv_transpose((3, 3), (4, 2), stride=3, padding=((1, 2), (0, 0)))
        assert page.input_value("#field-fine") == "x".join(map(str, g.fine))
        page.click("[aria-label='padding: one less']")
        assert said(page)["padding"] == "0:1x-1:-1"
        page.fill("#field-kernel", "")
        assert page.text_content("#error strong").startswith("--kernel must be")
        assert page.get_attribute("#field-kernel", "aria-invalid") == "true"
        page.select_option("#examples", "example remainder")
        assert said(page) == {"view": "sizes", "fine": "6", "kernel": "3", "stride": "2", "padding": "1"}
        assert page.is_hidden("#error strong")


def test_channels_are_those_of_the_form(browser):
    with opened(browser, START.replace("scatter", "channels")) as page:
        assert texts(page) == texts_of(GEOMETRY, "channels")
        assert page.input_value("#command").startswith("tconv draw channels --coarse 3x3 --kernel 3")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        page.fill("#field-groups", "3")
        assert texts(page) == texts_of(GEOMETRY, "channels", groups=3)
        page.fill("#field-out-channels", "12")
        assert texts(page) == texts_of(GEOMETRY, "channels", groups=3, out_channels=12)
        page.keyboard.press("Escape")
        assert page.text_content(".spoken") == "Step 5 of 12: y[4] = x[1] · w[1,0]"
        assert "--out-channels 12 --groups 3" in page.input_value("#command")
        page.fill("#field-in-channels", "4")
        assert page.text_content("#error strong") == "--groups must divide --in-channels = 4; got 3"
        assert texts(page) == texts_of(GEOMETRY, "channels", groups=3, out_channels=12)
        page.fill("#field-in-channels", "9000000")
        assert texts(page) == texts_of(GEOMETRY, "channels", groups=3, out_channels=12, in_channels=9_000_000)
        page.check("#view-scatter", force=True)
        assert "channels" not in page.input_value("#command")
        page.select_option("#examples", "example depthwise")
        layer = tconv.Geometry.conv_transpose((4, 4), 4, stride=2, padding=1)
        assert texts(page) == texts_of(layer, "channels", in_channels=6, out_channels=6, groups=6)
        page.reload()
        page.wait_for_selector(".sheet svg")
        assert texts(page) == texts_of(layer, "channels", in_channels=6, out_channels=6, groups=6)


def test_keys_reach_everything(browser):
    with opened(browser, START) as page:
        page.keyboard.press("ArrowRight")
        assert said(page)["step"] == "5"
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert said(page)["step"] == "3"
        page.keyboard.press("Shift+Space")  # scrolls, as everywhere
        page.focus(".sheet")
        page.keyboard.press("End")
        assert said(page)["step"] == "8"
        page.keyboard.press("Home")
        assert said(page)["step"] == "0"
        page.keyboard.press("Space")
        until(page, "location.hash.includes('step=1')")
        page.keyboard.press("Space")
        focused = []
        for _ in range(80):
            page.keyboard.press("Tab")
            focused.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        every = page.eval_on_selector_all(
            "button, input:not([type=radio]), select, summary, pre, .sheet",
            "all => all.filter(each => each.offsetParent).length",
        )
        assert {"field-kernel", "sheet", "step", "framework", "link", "theme", "language", "examples"} <= {*focused}
        assert len(focused) > every
        page.focus("#view-scatter")
        page.keyboard.press("ArrowRight")
        assert said(page)["view"] == "gather"
        assert said(page).get("step") is None


def test_a_cell_says_what_it_is_tied_to(browser):
    with opened(browser, START) as page:
        lit = "all => all.map(each => each.dataset.of)"
        page.hover('[data-of="y[1,1]"]')
        assert page.text_content(".tie").endswith("= 1·9 + 3·7 + 2·3 + 1·1 = 37")
        assert {*page.eval_on_selector_all(".tied", lit)} == {
            "y[1,1]", "x[0,0]", "x[0,1]", "x[1,0]", "x[1,1]", "w[0,0]", "w[0,2]", "w[2,0]", "w[2,2]",
        }  # fmt: skip
        page.hover('[data-of="x[0,0]"]')
        field = [axis.projective_field(0) for axis in GEOMETRY.axes]
        tied = {name for name in page.eval_on_selector_all(".tied", lit) if name[0] == "y" and "-" not in name}
        assert tied == {f"y[{r},{c}]" for r in field[0] for c in field[1]}
        page.focus(".sheet")
        page.keyboard.press("ArrowRight")  # the first cell
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        assert page.text_content(".tie").startswith("x[1,1] = 1 writes to")
        assert said(page).get("step") is None  # the arrows went to cells
        page.keyboard.press("Enter")
        page.mouse.move(5, 5)
        assert page.locator(".tied").count() > 0
        page.keyboard.press("Tab")
        page.click("[aria-label='next step']")  # what is held stays from step to step
        assert page.text_content(".tie").startswith("x[1,1] = 1 writes to")
        page.focus(".sheet")
        page.keyboard.press("Escape")
        assert page.locator(".tied").count() == 0
        go(page, "view=matrix&fine=4x4&kernel=3")
        page.hover('[data-of="x[0,0] w[1,1] y[1,1]"]')
        assert page.text_content(".tie") == "w[1,1] ties x[0,0] to y[1,1]."


def test_the_address_says_all_and_brings_it_back(browser):
    with opened(browser) as page:
        for seed in range(40):
            geometry = random_geometry(seed)
            text = address(geometry, [*VIEWS][seed % len(VIEWS)], 0, *(("zh", "dark") if seed % 2 else ()))
            go(page, text)
            assert page.evaluate("decodeURIComponent(location.hash.slice(1))") == text
            page.reload()
            page.wait_for_selector(".sheet svg")
            assert page.evaluate("decodeURIComponent(location.hash.slice(1))") == text
            assert page.input_value("#link").endswith(f"#{page.evaluate('location.hash.slice(1)')}")
            given = {name.replace("-", "_"): value for name, value in options(geometry).items()}
            command = page.input_value("#command")
            assert all(f"--{name.replace('_', '-')} {value}" in command for name, value in given.items())


@pytest.mark.parametrize(
    "start",
    [
        "view=constructor",
        "view=__proto__&coarse=3&kernel=3",
        "coarse=1&kernel=1&stride=1000000000",
        "coarse=3&kernel=3&padding=%E0%A4%A&view=%",
        "coarse=%3Cb%3E&kernel=%3Cimg%20src=x%20onerror=alert(1)%3E",
        "step=99999&view=gather&coarse=3&kernel=3",
        "kernel=200x200&coarse=300x300",
        "&&=&a=b",
    ],
)
def test_no_address_breaks_it(browser, start):
    with opened(browser, start) as page:
        assert page.locator(".sheet svg rect").count() > 5
        page.fill("#field-stride", "3")
        assert page.evaluate("document.querySelectorAll('img, b').length") == 0


def test_sentences_fit_what_they_tell(browser):
    with opened(browser, "view=scatter&coarse=3&kernel=2&stride=2&dilation=4&output-padding=3") as page:
        numbers = page.inner_text(".numbers")
        assert "mod 2 = 1; output padding 3 is no less than the stride" in numbers
        assert "y[2/6]" in page.text_content(".spoken")
        go(page, "view=scatter&coarse=4&kernel=2&stride=2&padding=2:0&step=0")
        assert "writes nothing: the padding crops all of it" in page.text_content(".spoken")
        go(page, "view=scatter&coarse=3&kernel=3&padding=-1")
        said_of_padding = "-1 at each end (a negative number does the opposite), zeros around the fine grid"
        assert said_of_padding in page.inner_text(".numbers")
        go(page, "view=channels&coarse=3x3&kernel=3")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        fields = [page.input_value(f"#field-{name}") for name in ("in-channels", "out-channels", "groups")]
        assert fields == ["4", "4", "2"]
        page.fill("#field-groups", "1")
        assert texts(page)[0] == "Each output channel is made of the one input channel"


def test_an_example_is_chosen_by_keys(browser):
    with opened(browser, START) as page:
        page.focus("#examples")
        for _ in range(3):
            page.keyboard.press("ArrowDown")
        assert page.input_value("#examples") == "example transpose"
        page.fill("#field-kernel", "2")
        assert page.input_value("#examples") == ""


def test_what_was_opened_and_typed_stays_in_another_language(browser):
    with opened(browser, START) as page:
        page.get_by_text("Which parameters give").click()
        page.fill("#wanted-fine", "77")
        page.click("#language")
        assert page.text_content("h1") == "探索转置卷积"
        assert page.is_visible("#wanted-fine")
        assert page.input_value("#wanted-fine") == "77"


def test_paper_is_light(browser):
    with opened(browser, f"{START}&theme=dark") as page:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_in_a_frame_it_works_and_tells_who_embeds_it(browser, tmp_path):
    page_of = tconv.explore(GEOMETRY, "gather", lang="zh", height=700)
    host = tmp_path / "notebook.html"
    host.write_text(
        "<script>told = []; onmessage = ({data}) => told.push(data)</script>" + page_of._repr_html_(), "utf-8"
    )
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(host.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator(".sheet svg").wait_for()
    assert frame.locator("h1").text_content() == "探索转置卷积"
    frame.locator("#field-kernel").fill("4")
    frame.locator("#field-kernel").blur()
    until(page, "told.length > 0")
    heard = page.evaluate("told.at(-1)")
    assert heard["tconv"] == "view=gather&coarse=3x3&kernel=4&stride=2&padding=1&lang=zh"
    axes = [tconv.Axis(**{**axis, "padding": tuple(axis["padding"])}) for axis in heard["axes"]]
    assert tconv.Geometry(tuple(axes)) == tconv.Geometry.conv_transpose((3, 3), 4, stride=2, padding=1)
    page.evaluate(
        "document.querySelector('iframe').contentWindow.postMessage({tconv: 'view=sizes&fine=6&kernel=3'}, '*')"
    )
    until(page, "told.at(-1).tconv.startsWith('view=sizes&fine=6')")
    assert frame.locator("#field-fine").input_value() == "6"
    context.close()


def downloaded(page, name, wait=30_000):
    with page.expect_download(timeout=wait) as waiting:
        page.get_by_role("button", name=name, exact=True).click()
    return waiting.value


def test_pictures_can_be_taken_away(browser, tmp_path):
    with opened(browser, START) as page:
        got = downloaded(page, "SVG")
        assert got.suggested_filename == "scatter.svg"
        assert got.path().read_text("utf-8") == figure(GEOMETRY, "scatter").svg()
        picture = Image.open(io.BytesIO(downloaded(page, "PNG").path().read_bytes()))
        assert picture.width == 1600
        assert len({*np.asarray(picture.convert("RGB")).reshape(-1, 3).sum(1).tolist()}) > 20
        animation = downloaded(page, "GIF").path()
        assert animation.stat().st_size <= 300_000
        with Image.open(animation) as frames:
            assert (frames.n_frames, frames.width) == (9, 640)


def test_parameters_for_wanted_sizes_can_be_taken(browser):
    with opened(browser, START) as page:
        page.get_by_text("Which parameters give").click()
        page.fill("#wanted-coarse", "8x8")
        page.fill("#wanted-fine", "16x16")
        page.get_by_role("button", name="solve").click()
        solutions = tconv.solve(coarse=(8, 8), fine=(16, 16), limit=10)
        rows = page.locator(".answers tbody tr")
        assert rows.count() == len(solutions)
        rows.nth(0).get_by_role("button").click()
        assert said(page) == {"view": "scatter", **options(solutions[0].geometry)}
        page.fill("#wanted-kernel", "1")
        page.fill("#wanted-stride", "1")
        page.get_by_role("button", name="solve").click()
        assert page.locator(".answers [role=alert]").count() == 1


def test_a_picture_of_ones_own_is_enlarged(browser, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "own.png")
    with opened(browser, START) as page:
        page.get_by_text("Try it on a picture").click()
        page.set_input_files("#file", tmp_path / "own.png")
        until(page, "document.querySelectorAll('.pictures canvas')[0].width === 9")
        enlarged = page.evaluate(
            "() => { const c = document.querySelectorAll('.pictures canvas')[1];"
            " return [c.height, c.width, [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]]; }"
        )
        rows, columns, data = enlarged
        x = np.moveaxis(pixels.astype(np.float64), 2, 0)[:, None]
        expected = tconv.conv_transpose(x, np.full((1, 1, 3, 3), (2 / 3) ** 2), stride=2, padding=1)[:, 0]
        got = np.array(data).reshape(rows, columns, 4)[..., :3]
        assert got.shape == (13, 17, 3)
        assert np.abs(got - np.clip(np.moveaxis(expected, 0, 2), 0, 255)).max() <= 0.51
        assert "becomes 13 × 17" in page.inner_text("details:has(#file)")
        (tmp_path / "no.png").write_bytes(b"no picture")
        page.set_input_files("#file", tmp_path / "no.png")
        page.get_by_text("this file is no picture").wait_for()


def test_the_widget_ties_the_page_to_python(browser, tmp_path):
    widget = pytest.importorskip("tconv.exploring.widget")
    explorer = widget.Explorer(tconv.Geometry.conv_transpose(2, 2), "matrix", in_channels=2)
    explorer.geometry = GEOMETRY  # before it is shown
    traits = {name: getattr(explorer, name) for name in ("page", "start", "axes", "height")}
    host = tmp_path / "host.html"
    script = widget.SCRIPT.replace("export default", "window.made =")
    given = json.dumps(traits).replace("</", "<\\/")
    host.write_text(
        f"<div id=out></div><script type=module>{script}"
        f"const traits = {given}; const on = {{}};"
        "window.model = { get: n => traits[n], set: (n, v) => { traits[n] = v; }, on: (n, f) => { on[n] = f; },"
        " off: () => {}, save_changes: () => { window.saved = structuredClone(traits); }, change: n => on[n]() };"
        "made.render({ model, el: document.getElementById('out') });</script>",
        "utf-8",
    )
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(host.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator(".sheet svg").wait_for()
    assert frame.locator("#field-coarse").input_value() == "3x3"
    frame.locator("#field-kernel").fill("5")
    until(page, "window.saved && saved.start.includes('kernel=5')")
    explorer.axes, explorer.start = page.evaluate("[saved.axes, saved.start]")
    assert explorer.geometry == tconv.Geometry.conv_transpose((3, 3), 5, stride=2, padding=1)
    explorer.geometry = tconv.Geometry.conv_transpose(7, 2, stride=2)
    assert explorer.start == "view=matrix&coarse=7&kernel=2&stride=2&in-channels=2"
    page.evaluate("start => { model.set('start', start); model.change('change:start'); }", explorer.start)
    until(page, "saved.axes.length === 1")
    assert frame.locator("#field-coarse").input_value() == "7"
    context.close()
