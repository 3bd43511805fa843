"""Test the report in a browser: two widths, light and dark, by keyboard, without JavaScript, and odd settings."""

import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from helpers.browser import is_drawn, opened, serious
from helpers.commands import deadrelu
from helpers.projects import ROOT, run_all, tree, write_small_params
from papermill.exceptions import PapermillExecutionError
from PIL import Image
from playwright.sync_api import Browser, Page
from ruamel.yaml import YAML

from deadrelu.report import build, notebook, page
from deadrelu.report.figures import drawing
from deadrelu.settings import params

MEGABYTE = 2**20


def small_report(folder: Path, change: dict[str, Any]) -> Path:
    """Make the report of a small project with some changed settings, and return its path."""
    (folder / "reports").mkdir()
    shutil.copy(ROOT / "reports" / "report.ipynb", folder / "reports")
    write_small_params(folder / "params.yaml")
    yaml = YAML()
    tree = yaml.load(folder / "params.yaml")
    for group, values in change.items():
        tree[group] = {**tree[group], **values} if values else {}
    yaml.dump(tree, folder / "params.yaml")
    here = Path.cwd()
    os.chdir(folder)
    try:
        run_all(params.load())
        build.main(params.load())
    finally:
        os.chdir(here)
    return folder / "reports" / "report.html"


@pytest.fixture
def small(pipeline: Path) -> Path:
    return pipeline / "reports" / "report.html"


ODD_KEY = "a-case-whose-key-is-as-long-as-a-key-may-be".ljust(64, "x")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a report of one trial each, with zero signals, no theory, a long key, and no case of the paper or of loops.

    No case is followed, and nothing is varied.
    """
    zeros = {"activation": "relu", "initializer": {"name": "zeros"}}
    relu = {"activation": "relu", "target": "x_sin_x", "widths": [2, 2]}
    change = {
        "activations": {"cases": {"relu-zeros": zeros}},
        "training": {"trials": 1, "cases": {"mlp-zeros": {"network": "mlp", "initializer": {"name": "zeros"}}}},
        "collapse": {"trials": 1, "tolerance": 0, "cases": {"relu": relu, ODD_KEY: relu}},
        "safe_region": {
            "initializer": {"name": "orthogonal"},
            "networks": 1,
            "depth": {"low": 3, "high": 3},
            "width": {"low": 2, "high": 2},
            "trained": {"of": "relu", "depths": [3], "widths": [2], "trials": 1, "epochs": 1},
            "other_initializers": {},
        },
        "sensitivity": {},
    }
    return small_report(tmp_path_factory.mktemp("odd"), change)


@pytest.fixture(scope="module")
def whole() -> Path:
    """Return the report of the committed settings; where there is none, skip the test, or fail it on CI."""
    path = ROOT / "reports" / "report.html"
    if not path.exists():
        text = "no reports/report.html: `make report` makes it"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)
    return path


@pytest.fixture(params=["whole", "odd"])
def report_page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


# `make test` uses a phone in dark mode and a screen in light mode; `make soak` also uses the others.
VIEWS = [
    *((390, "dark"), (1440, "light")),
    *(pytest.param(width, scheme, marks=pytest.mark.soak) for width, scheme in ((390, "light"), (1440, "dark"))),
]


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_page_opens_without_trouble(width: int, scheme: str, report_page: Path, browser: Browser) -> None:
    """The page logs and requests nothing, fits the window, draws every image, and has no serious finding of axe."""
    assert report_page.stat().st_size < 6 * MEGABYTE
    with opened(browser, report_page, width=width, scheme=scheme) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        images = tab.locator("img").all()
        assert len(images) == len(drawing.drawn(params.load(report_page.parents[1] / "params.yaml")))
        for image in images:
            assert image.get_attribute("alt")
            assert is_drawn(image.screenshot(), scheme)
        assert serious(tab) == []


def test_no_width_makes_the_page_scroll_sideways(whole: Path, browser: Browser) -> None:
    """Widths go from a phone held upright to a wide screen, and include those where the contents move to the side."""
    with opened(browser, whole) as tab:
        for width in (320, 390, 720, 1000, 1247, 1248, 1250, 1330, 1920):
            tab.set_viewport_size({"width": width, "height": 900})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_with_faults_is_noticed(tmp_path: Path, browser: Browser) -> None:
    """Each check finds its fault: an image without text, faint text, a blank image, a message, an error, a request."""
    bad = tmp_path / "bad.html"
    faint, image = '<p style="color:#ddd">faint</p>', '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'
    bad.write_text(f'<html lang="en"><title>x</title><main><h1>x</h1>{faint}{image}</main>')
    with opened(browser, bad) as tab:
        assert {finding.split(":")[0] for finding in serious(tab)} == {"image-alt", "color-contrast"}
    blank = io.BytesIO()
    Image.new("L", (100, 100), 255).save(blank, "PNG")
    assert not is_drawn(blank.getvalue(), "light")
    for content, trouble in (
        ("<script>console.log('hello')</script>", "console: hello"),
        ("<script>throw new Error('oh')</script>", "error: oh"),
        ('<img src="http://127.0.0.1:9/x.png" alt="">', "asked: http://127.0.0.1:9/x.png"),
    ):
        bad.write_text(f"<html>{content}")
        with pytest.raises(AssertionError, match=trouble), opened(browser, bad):
            pass


def test_contents_lead_to_every_section(whole: Path, browser: Browser) -> None:
    with opened(browser, whole) as tab:
        links = [link.get_attribute("href") for link in tab.locator("nav a").all()]
        assert links == [f"#{h.get_attribute('id')}" for h in tab.locator("main h2").all()]
        assert len(links) == len(set(links)) > 8
        assert tab.locator("nav li").first.is_visible()
        tab.locator("nav a").nth(5).click()
        assert tab.evaluate("Math.abs(document.querySelector('h2:target').getBoundingClientRect().top)") < 60
    with opened(browser, whole, width=390) as tab:
        assert not tab.locator("nav li").first.is_visible()  # folded, or it would fill a phone
        tab.locator("nav summary").click()
        assert tab.locator("nav li").first.is_visible()


def test_keyboard_reaches_what_there_is(whole: Path, browser: Browser) -> None:
    """The first stop skips the contents; tables sort, sliders move and scrolling boxes are reached without a mouse."""
    with opened(browser, whole) as tab:
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.textContent") == "Skip to the content"
        tab.keyboard.press("Enter")
        assert tab.evaluate("document.activeElement.id") == "content"
        heading = tab.locator("table.sortable:visible th button").first
        heading.focus()
        tab.keyboard.press("Enter")
        assert tab.locator("table.sortable:visible th").first.get_attribute("aria-sort") == "ascending"
        slider = tab.locator("#explorer [name=depth]")
        before = int(slider.input_value())
        slider.focus()
        tab.keyboard.press("ArrowRight")
        assert int(slider.input_value()) == before + 1
        assert tab.evaluate("[...document.querySelectorAll('.scroll')].every((box) => box.tabIndex === 0)")


NUMBERS = ["1,000", "", "> 90.0 %", "×0.66 (0.5 to 0.7)", "−3", "12 layers", "b", "1e-3"]


def test_tables_sort_by_size_and_back(tmp_path: Path, browser: Browser) -> None:
    frame = pd.DataFrame({"name": list("hgfedcba"), "number": NUMBERS})
    path = tmp_path / "page.html"
    path.write_text(page.document("x", f"<h1>x</h1>{page.table(frame, caption='c')}"))
    with opened(browser, path) as tab:

        def column(k: int) -> list[str]:
            return [cell.inner_text() for cell in tab.locator(f"td:nth-child({k})").all()]

        button = tab.locator("th button").nth(1)
        button.click()
        by_size = ["", "b", "−3", "1e-3", "×0.66 (0.5 to 0.7)", "12 layers", "> 90.0\u00a0%", "1,000"]
        assert column(2) == by_size
        button.click()
        assert column(2) == by_size[::-1]
        button.click()
        assert column(1) == list("hgfedcba")
        tab.locator("th button").first.click()
        assert column(1) == list("abcdefgh")
        assert tab.locator("th[aria-sort]").count() == 1


def explored(tab: Page, **chosen: object) -> dict[str, str]:
    """Choose values in the explorer, and return the texts that it shows."""
    for name, value in chosen.items():
        field = tab.locator(f"#explorer [name={name}]")
        field.select_option(label=str(value)) if name == "initializer" else field.fill(str(value))
    says = tab.locator("#explorer [data-says]").all()
    return {str(part.get_attribute("data-says")): part.inner_text() for part in says}


def test_explorer_shows_the_numbers_of_its_cell(whole: Path, browser: Browser) -> None:
    cells = pd.read_csv(ROOT / "reports" / "tables" / "explorer.csv").set_index(["initializer", "depth", "width"])
    with opened(browser, whole) as tab:
        assert tab.locator("#explorer").is_visible()
        for key, name, depth, width in (
            ("main", "He normal", 9, 2),
            ("glorot_uniform", "Glorot uniform", 6, 3),
            ("rai", "RAI", 20, 2),
            ("main", "He normal", 2, 10),
        ):
            said = explored(tab, depth=depth, width=width, initializer=name)
            cell = cells.loc[(key, depth, width)]
            assert f"{cell['count']:,.0f} of {cell['networks']:,.0f}" in said["untrained"]
            assert f"{100 * cell['rate']:.1f} %" in said["untrained"] or cell["rate"] < 0.01
            assert f"{100 * cell['low']:.1f} %" in said["untrained"] or cell["low"] < 0.01
            known = pd.notna(cell["theory_low"])
            assert ("No closed form" in said["untrained"]) != known
            if known:
                assert f"{100 * cell['theory_high']:.1f} %" in said["untrained"] or cell["theory_high"] < 0.01
            if pd.notna(cell["trained"]):
                assert f"{cell['trained_count']:,.0f} of {cell['trained']:,.0f}" in said["trained"]
                assert tab.locator("#explorer [data-draws=learned] path.network").count() == 8
            else:
                any_trained = cells.loc[key]["trained"].notna().any()
                assert (
                    "Only networks of 3, 6 or 9 layers of 2, 4, 6 or 8 units were trained" in said["trained"]
                ) == any_trained
            curves = tab.locator("#explorer [data-draws=functions] path.network")
            assert curves.count() == 8
            dead = tab.locator("#explorer [data-draws=functions] path.dead").count()
            assert f"{dead} of them constant" in said["functions"]


def test_page_tells_its_story_without_javascript(whole: Path, browser: Browser) -> None:
    with opened(browser, whole, script=False) as tab:
        assert not tab.locator("#explorer").is_visible()
        assert not tab.locator("#playground").is_visible()
        assert "explorer.csv" in " ".join(tab.locator("noscript").all_inner_texts())
        assert tab.locator("th button").count() == 0
        assert tab.locator("figure img").count() == len(drawing.FIGURES)
        assert tab.locator("table").count() > 5


def test_formulas_are_drawn_by_the_browser(whole: Path, browser: Browser) -> None:
    with opened(browser, whole) as tab:
        formulas = tab.locator("math")
        assert formulas.count() > 5
        assert all(
            box["height"] > 4 for box in (formulas.nth(k).bounding_box() for k in range(formulas.count())) if box
        )
        assert "\\" not in tab.locator("main").inner_text()
        assert "$" not in tab.locator("main").inner_text()


def test_odd_settings_are_told_in_words(odd: Path, browser: Browser) -> None:
    with opened(browser, odd, width=390) as tab:
        text = tab.locator("main").inner_text()
        assert "nan" not in text.lower().split()
        assert ODD_KEY in text
        assert "One trial" not in text
        assert "1 trials" not in text
        assert "1 trainings" not in text
        assert (
            "does not have the notebook's settings" in text or "No case of this run has the notebook's settings" in text
        )


def test_same_tables_same_page(repository: Path) -> None:
    """A report that is built again from the same tables has the same bytes, and so have its figures."""
    before = tree(repository / "reports")
    for name in build.MADE:
        made_before = repository / "reports" / name
        shutil.rmtree(made_before) if made_before.is_dir() else made_before.unlink()
    build.main(params.load())
    after = tree(repository / "reports")
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []
    assert "report.html" in before


def test_text_of_a_page_is_text() -> None:
    """Names that look like HTML are escaped in tables, captions, cards and the data of a script."""
    evil = "<script>alert(1)</script>"
    parts = [
        page.table(pd.DataFrame({evil: [evil]}), caption=evil),
        page.figure("a", alt=evil + '"', caption=evil),
        page.cards([(evil, evil, evil)]),
        page.unordered([evil]),
    ]
    for part in parts:
        assert "<script" not in part
        assert "&lt;script&gt;" in part
    assert "<script>alert" not in page.document(evil, "<h1>x</h1>")
    data = page.rendered(
        "explorer.html.j2", sliders=[], initializers=[evil], after=evil, data={"a": "</script>" + evil}
    )
    assert "<script>alert" not in data
    assert data.count("</script>") == 1
    long = "a name that goes on and on " * 20
    assert long in page.table(pd.DataFrame({"a": [long]}), caption="c")


def test_page_holds_its_images(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_bytes(b"image")
    html = page.figure("a", alt='less < "more"', caption="c & d", folder="figures/")
    assert 'alt="less &lt; &quot;more&quot;"' in html
    assert "c &amp; d</figcaption>" in html
    assert '<img src="figures/a.png"' in html  # for those who open the notebook
    assert '<img src="data:image/svg+xml;base64,aW1hZ2U="' in page.with_images(html, tmp_path)


def test_notebook_has_no_outputs_and_one_cell_of_params() -> None:
    """The committed notebook has no outputs, and one cell of parameters."""
    cells = json.loads((ROOT / "reports" / "report.ipynb").read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells)
    assert [cell["metadata"].get("tags") for cell in cells].count(["parameters"]) == 1


def test_a_case_that_is_put_first_is_no_question(repository: Path) -> None:
    """The questions are on signals and on the notebook's two cases, wherever these stand in params.yaml."""
    yaml = YAML()
    settings = yaml.load(Path("params.yaml"))
    mine = {"activation": "tanh", "target": "x_sin_x", "widths": [3], "trials": 8, "epochs": 1}
    settings["collapse"]["cases"] = {"mine": mine, **settings["collapse"]["cases"]}
    yaml.dump(settings, Path("params.yaml"))
    assert deadrelu("collapse", "mine").returncode == 0
    assert deadrelu("report").returncode == 0
    text = Path("reports/report.html").read_text()
    questions = re.findall(r'<div class="card"><h3>(.*?)</h3>', text)
    assert [question[:2] for question in questions] == ["1.", "2.", "3."]
    assert "with ReLU" in questions[1]
    assert "with Leaky ReLU" in questions[2]
    assert "tanh" in text


def test_notebook_opens_in_jupyter(repository: Path) -> None:
    """The notebook runs in its folder with its own parameters, as for a reader, and finds its figures there."""
    import papermill

    folder = repository / "reports"
    executed = papermill.execute_notebook(
        folder / "report.ipynb", folder / "opened.ipynb", kernel_name="python3", cwd=folder, progress_bar=False
    )
    shown = [output["data"].get("text/html", "") for cell in executed.cells for output in cell.get("outputs", [])]
    images = [part.split('"')[0] for html in shown for part in html.split('<img src="')[1:]]
    assert len(images) > 10
    assert all((folder / image).is_file() for image in images)


def test_executed_notebook_stands_alone(small: Path) -> None:
    """The executed notebook is valid, and contains figures and tables, but no time, path or random name."""
    text = (small.parent / "executed.ipynb").read_text()
    executed = nbformat.reads(text, as_version=4)
    nbformat.validate(executed)
    outputs = [output for cell in executed.cells for output in cell.get("outputs", [])]
    shown = [output["data"].get("text/html", "") for output in outputs]
    images = [output for output in outputs if "image/png" in output["data"]]
    settings = params.load(small.parents[1] / "params.yaml")
    assert len(images) == len(drawing.drawn(settings))
    assert all(len(output["metadata"]["image/png"]["alt"]) > 20 for output in images)
    assert not any("<img" in html for html in shown)
    assert any("<table" in html for html in shown)
    assert [cell.id for cell in executed.cells] == [f"cell-{k}" for k in range(len(executed.cells))]
    assert str(small.parents[1]) not in text
    assert "papermill" not in text


def test_an_error_in_the_notebook_is_raised(tmp_path: Path) -> None:
    """Papermill raises the error and names the cell; later cells do not run, and no file is left."""
    cells = [nbformat.v4.new_code_cell(source) for source in ("1 / 0", "raise SystemExit")]
    cells.insert(0, nbformat.v4.new_code_cell("a = 1", metadata={"tags": ["parameters"]}))
    written = nbformat.v4.new_notebook(cells=cells)
    written.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(written, tmp_path / "wrong.ipynb")
    with pytest.raises(PapermillExecutionError, match="ZeroDivisionError") as raised:
        notebook.run(tmp_path / "wrong.ipynb", {"a": tmp_path})
    assert raised.value.ename == "ZeroDivisionError"
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.ipynb"]
