"""Test that the playground trains the tables' trials bit by bit, reports a wrong bit, and works in limited browsers."""

import base64
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.browser import opened, serious
from helpers.projects import ROOT
from playwright.sync_api import Browser, Page
from scipy import stats

from deadrelu.analysis import outcomes, theory
from deadrelu.analysis.intervals import fisher_exact
from deadrelu.storage import parquet, tables

pytestmark = pytest.mark.without_digits

REPORT = ROOT / "reports" / "report.html"
PICTURE = ROOT / "docs" / "playground.png"


@contextmanager
def played(browser: Browser, page: Path = REPORT, *, first: str = "", **options: Any) -> Iterator[Page]:
    """Open the page; `first` is a script that runs in the browser before those of the page."""
    with opened(browser, page, **options) as tab:
        if first:
            tab.add_init_script(first)
            tab.reload()
        yield tab


def finished(tab: Page) -> str:
    tab.locator(
        "#p-status", has_text=re.compile(r" s: |: (dead|died|within|became|constant|alive|diverged)")
    ).wait_for()
    return tab.inner_text("#p-status")


def trials_of(key: str) -> pd.DataFrame:
    """Return the trials of a case of `collapse`."""
    return parquet.read_parts(tables.TRIALS.path(key, ROOT / tables.DATA).parent, tables.TRIALS.schema)


def numbers_of(key: str) -> list[list[int]]:
    """Return the bits of every loss, and of every saved final weight."""
    losses = np.stack(list(trials_of(key)["loss"])).astype(np.float32)
    weights = parquet.read(tables.WEIGHTS.path(key, ROOT / tables.DATA), tables.WEIGHTS.schema)
    final = np.stack(list(weights["final"])).astype(np.float32)
    return [array.view(np.uint32).ravel().tolist() for array in (losses, final)]


def test_every_number_of_the_tables_has_its_bits_here(browser: Browser) -> None:
    """The page compares with the numbers that it contains, which are those of the Parquet files."""
    bits = """(text) => [...new Uint32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer)]"""
    with played(browser) as tab:
        cases = tab.evaluate("window.deadrelu.cases")
        assert list(cases) == ["relu", "leaky_relu"]
        for key, case in cases.items():
            assert [tab.evaluate(bits, case[name]) for name in ("loss", "final")] == numbers_of(key)
        count = sum(len(numbers) for key in cases for numbers in numbers_of(key))
        assert tab.evaluate("window.deadrelu.prove()") == {"equal": count, "total": count, "wrong": []}


def test_a_trial_is_trained_by_its_number(browser: Browser) -> None:
    """The trials include the first and the last of the tables, and a ReLU network that dies in training."""
    with played(browser) as tab:
        moved = 0
        for key in ("relu", "leaky_relu"):
            rows = trials_of(key)
            weights = parquet.read(tables.WEIGHTS.path(key, ROOT / tables.DATA), tables.WEIGHTS.schema)
            died = int(rows.loc[rows["dead"] & ~rows["born_dead"], "trial"].min()) if key == "relu" else 5
            for trial in (0, died, 199, 600, len(rows) - 1):
                initial, final, loss = tab.evaluate(
                    """([key, trial]) => window.deadrelu.train({ case: key, trial }).then((found) =>
                    ["initial", "final", "loss"].map((name) => [...new Uint32Array(found[name].buffer)]))""",
                    [key, trial],
                )
                assert loss == np.asarray(rows["loss"][trial], np.float32).view(np.uint32).tolist()
                moved += initial != final
                if trial < len(weights):
                    expected = [np.asarray(weights[name][trial], np.float32) for name in ("initial", "final")]
                    assert [initial, final] == [array.view(np.uint32).tolist() for array in expected]
        assert moved >= 6
        answer = tab.evaluate("window.deadrelu.train({ case: 'relu', trial: 1000 }).catch((error) => error.message)")
        assert answer == "received case relu, trial 1000; expected: relu: 0 to 999; leaky_relu: 0 to 999"


def test_a_wrong_last_bit_is_told(browser: Browser, tmp_path: Path) -> None:
    text = REPORT.read_text()
    match = re.search(r'<script type="application/json" id="playground-data">(.*?)</script>', text, re.DOTALL)
    assert match
    data = json.loads(match[1])
    case = data["proof"]["cases"]["leaky_relu"]
    final = np.frombuffer(base64.b64decode(case["final"]), np.uint32).copy()
    final[3 * 37 + 5] ^= 1
    case["final"] = base64.b64encode(final.tobytes()).decode()
    (tmp_path / "report.html").write_text(text.replace(match[1], json.dumps(data)))
    with played(browser, tmp_path / "report.html") as tab:
        tab.click("#train-all")
        tab.locator("#p-all", has_text="34,799 of 34,800 losses and weights have the bits of the tables.").wait_for()
        (line,) = tab.locator("#p-proofs .differs").all_inner_texts()
        assert line.startswith("Leaky ReLU (slope 0.1), trial 3: weight 5 is ")


def test_the_whole_experiment_is_one_button(browser: Browser) -> None:
    with played(browser) as tab:
        tab.click("#train-all")
        tab.locator("#p-all", has_text="34,800 of 34,800 losses and weights have the bits of the tables.").wait_for()
        assert tab.inner_text("#p-all").startswith("2,000 networks in ")
        relu, leaky = (line.replace("\u00a0", " ") for line in tab.locator("#p-proofs p").all_inner_texts())
        for line, key, in_print in ((relu, "relu", "95.6 %"), (leaky, "leaky_relu", "19.2 %")):
            here = outcomes.outcomes(trials_of(key), 1e-3)
            rate = np.isin(here, ("born_dead", "died", "stayed_within", "became_within")).mean()
            assert line.count(f"{rate:.1%}".replace("%", " %")) == 2, line
            assert f"the notebook printed {in_print}" in line


def test_a_layer_dies_before_the_readers_eyes_and_is_turned_back(browser: Browser) -> None:
    with played(browser) as tab:
        tab.click("#p-die")
        tab.locator("#p-dies:not([hidden])").wait_for()
        tab.click("#p-die")
        assert tab.inner_text("#p-die") == "Go on"
        end = tab.get_attribute("#p-moment", "max")
        tab.locator("#p-moment").fill(end or "")
        assert "All its units are 0 on all training inputs" in tab.inner_text("#p-dying")
        last = tab.locator("#p-layer").inner_html()
        tab.locator("#p-moment").fill("0")
        assert "Some unit is above 0 at some input." in tab.inner_text("#p-dying")
        assert tab.locator("#p-layer").inner_html() != last


def test_settings_are_in_the_address(browser: Browser) -> None:
    with played(browser) as tab:
        tab.select_option("#p-preset", "leaky_relu")
        tab.locator("#p-depth").fill("4")
        tab.fill("#p-seed", "7")
        tab.fill("#p-epochs", "3")
        tab.click("#train-many")
        status = finished(tab)
        counts = tab.locator("#p-tally .bar > :last-child").all_inner_texts()
        address = tab.url
        assert address.endswith("#leaky_relu-4x2-seed7&slope=0.1&epochs=3")
        tab.click("#train-many")  # once more: other networks
        finished(tab)
        tab.locator("#p-status", has_text=re.compile(r"100 networks in")).wait_for()
        assert tab.url.endswith("-seed8&slope=0.1&epochs=3")
        again = tab.context.new_page()
        again.goto(address)
        again.click("#train-many")
        assert finished(again).split(":")[1] == status.split(":")[1]
        assert again.locator("#p-tally .bar > :last-child").all_inner_texts() == counts
        again.goto(address.partition("#")[0] + "#nonsense-1")
        assert again.locator("#train-many").is_enabled()


def test_a_browser_without_vectors_says_so(browser: Browser) -> None:
    with played(browser, first="WebAssembly.validate = () => false;") as tab:
        assert tab.locator("#playground button:visible").count() == 0
        assert "This browser has no WebAssembly with vectors" in tab.inner_text("#playground")


def test_a_long_training_is_stopped(browser: Browser) -> None:
    with played(browser) as tab:
        tab.select_option("#p-preset", "leaky_relu")
        tab.locator("#p-depth").fill("20")
        tab.fill("#p-epochs", "100")
        tab.click("#train-many")
        tab.locator("#p-status", has_text="networks are trained.").wait_for()
        tab.click("#p-stop")
        assert tab.inner_text("#p-status") == "Stopped."
        tab.wait_for_timeout(1500)  # other trainings would have ended by then
        assert tab.inner_text("#p-status") == "Stopped."
        tab.click("#train-all")
        tab.click("#p-stop-all")
        assert tab.inner_text("#p-all") == ""


def test_a_class_sees_nine_in_ten_networks_die(browser: Browser) -> None:
    with played(browser) as tab:
        tab.click("#train-many")
        text = finished(tab)
        assert text.startswith("100 networks in ")
        counts = [int(number) for number in tab.locator("#p-tally .bar > :last-child").all_inner_texts()]
        assert sum(counts) == 100
        assert counts[0] > 75  # each of 100 with probability 0.925: fewer have a probability of 1e-8
        assert tab.locator("#p-multiples svg").count() == 100
        rates = tab.inner_text("#p-rates").replace("\u00a0", " ")
        assert re.search(
            r"Constant after training here: \d+\.\d % \(95 % interval .* In the pipeline: 96\.0 % \(94\.6 % to", rates
        )
        assert "Theory, dead at initialization: 92.5 %" in rates


@pytest.mark.parametrize(("preset", "networks"), [("relu", 400), ("leaky_relu", 100)])
def test_tallies_are_those_of_theory_and_of_the_pipeline(preset: str, networks: int, browser: Browser) -> None:
    """Another generator gives the same distribution of outcomes; all tests of a case give a false alarm in 10,000."""
    with played(browser) as tab:
        options = {"preset": preset, "networks": networks, "seed": 3}
        tally = tab.evaluate("(given) => window.deadrelu.count(given)", options)
        again = tab.evaluate("(given) => window.deadrelu.count(given)", options)
    assert tally == again
    assert sum(tally[outcome] for outcome in (*outcomes.OUTCOMES, "diverged")) == tally["networks"] == networks
    rows = trials_of(preset)
    here = outcomes.outcomes(rows, 1e-3)
    constant = ("born_dead", "died", "stayed_within", "became_within")
    assert tally["collapsed"] == sum(tally[outcome] for outcome in constant)
    for names in (constant, *([outcome] for outcome in outcomes.OUTCOMES)):
        ours, theirs = int(np.isin(here, names).sum()), sum(tally[name] for name in names)
        counts = (np.array([number]) for number in (theirs, networks, ours, len(rows)))
        assert fisher_exact(*counts)[0] > 1e-5, names
    if preset == "relu":
        exact = theory.born_dead_on_interval([1, *[2] * 9]).low
        assert stats.binomtest(tally["born_dead"], networks, exact).pvalue > 1e-4


SIDES = (-1.5, -0.5, 0.5, 1.5)
"""Inputs: two on each side of 0."""


def test_outcomes_are_those_of_the_pipeline(browser: Browser) -> None:
    """The script and `outcomes.outcomes` agree on random predictions at four inputs, among which is every outcome."""
    rng = np.random.default_rng(12)
    sizes = np.array([0.0, 4e-4, 9e-4, 1.0])
    before, after = (rng.choice([0.0, 0.0, 1.0], (400, 4)) * rng.choice(sizes, (400, 1)) for _ in range(2))
    after[200:, :2] = rng.choice(sizes, (200, 1))  # constant for x < 0
    after[-3:, 0] = (np.nan, np.inf, -np.inf)
    table = pd.DataFrame(
        {
            "range_initial": np.ptp(before, axis=1),
            "range": np.ptp(after, axis=1),
            "range_low": np.ptp(after[:, :2], axis=1),
            "range_high": np.ptp(after[:, 2:], axis=1),
        }
    )[:-3]
    expected = [*outcomes.outcomes(table, 1e-3), *["diverged"] * 3]
    assert set(expected) == {*outcomes.OUTCOMES, "diverged"}
    numbers = [[[repr(float(value)) for value in values] for values in both] for both in (before, after)]
    with played(browser) as tab:
        results = tab.evaluate(
            """([before, after, xs]) => {
              const words = { nan: NaN, inf: Infinity, "-inf": -Infinity };
              const numbers = (texts) => texts.map((text) => (text in words ? words[text] : Number(text)));
              return before.map((row, k) => deadreluTrial.outcomeOf(numbers(row), numbers(after[k]), xs, 1e-3));
            }""",
            [*numbers, list(SIDES)],
        )
        assert results == expected
        names = tab.evaluate("window.deadrelu.count({ networks: 1, epochs: 1 }).then((found) => Object.keys(found))")
    assert names == ["networks", *outcomes.OUTCOMES, "diverged", "collapsed"]


def test_every_outcome_has_its_colour_on_both_pages(browser: Browser) -> None:
    """The bars of the outcomes have different colours, none of which is that of a bar without an outcome."""
    drawn = """(names) => names.map((name) => {
        const bar = document.createElement("span");
        bar.className = `outcome ${name}`;
        document.querySelector("#p-tally").append(Object.assign(document.createElement("div"), { className: "bar" }));
        const track = Object.assign(document.createElement("span"), { className: "track" });
        track.append(bar);
        document.querySelector("#p-tally").lastChild.append(track);
        return getComputedStyle(bar).backgroundColor;
    })"""
    for scheme in ("light", "dark"):
        with played(browser, scheme=scheme) as tab:
            *colours, other = tab.evaluate(drawn, [*outcomes.OUTCOMES, "nothing"])
            assert len(set(colours)) == len(outcomes.OUTCOMES), scheme
            assert other not in colours, scheme


def test_one_network_is_followed_paused_and_stepped_by_the_keyboard(browser: Browser) -> None:
    with played(browser) as tab:
        tab.select_option("#p-preset", "leaky_relu")
        tab.focus("#train-one")
        tab.keyboard.press("Enter")
        tab.locator("#p-pause:enabled").wait_for()
        tab.focus("#p-pause")
        tab.keyboard.press("Enter")
        assert tab.inner_text("#p-pause") == "Go on"
        before = tab.locator("#p-network").inner_html()
        (done,) = re.findall(r"loss, (\d+) of 10 epochs", tab.locator("#p-loss").text_content() or "")
        tab.focus("#p-step")
        tab.keyboard.press("Enter")
        assert tab.locator("#p-network").inner_html() != before
        assert f"loss, {int(done) + 1} of 10 epochs" in (tab.locator("#p-loss").text_content() or "")
        assert tab.locator("#p-network .unit").count() == 21
        assert re.search(r"Dead units \(0 on all points, dark\): \d+ of 19", tab.inner_text("#p-state"))
        tab.click("#p-pause")
        assert "The network of seed 1: " in finished(tab)
        assert "the best constant's 0.4" in tab.inner_text("#p-status")
        assert "loss, 10 of 10 epochs" in tab.locator("#p-loss").text_content()
        assert serious(tab) == []


def test_dead_units_are_dark(browser: Browser) -> None:
    with played(browser) as tab:
        tab.fill("#p-epochs", "1")
        for _ in range(5):  # all five have no dead unit with probability 2e-6
            tab.click("#train-one")
            finished(tab)
            if tab.locator("#p-network .unit.dead").count():
                break
        assert tab.locator("#p-network .unit.dead").count() > 0


@pytest.mark.parametrize(
    "first",
    [
        "delete window.Worker;",
        "window.Worker = class { constructor() { throw new Error('not here'); } };",
        "window.Worker = class { terminate() {} postMessage() { setTimeout(() => "
        "this.onerror({ preventDefault() {} })); } };",
        "window.Worker = class extends Worker { "
        "postMessage(m) { super.postMessage(m.programs ? { programs: {} } : m); } };",
    ],
    ids=["none", "forbidden", "dies", "fails"],
)
def test_without_workers_the_page_trains_itself(first: str, browser: Browser) -> None:
    with played(browser, first=first) as tab:
        tab.fill("#p-epochs", "1")
        tab.click("#train-many")
        assert finished(tab).startswith("100 networks in ")
        assert tab.evaluate("window.deadrelu.train({ case: 'leaky_relu', trial: 0 }).then((f) => f.loss.length)") == 10


def test_odd_settings_are_trained_or_named(browser: Browser) -> None:
    with played(browser) as tab:
        tab.fill("#p-rate", "1000")
        tab.click("#train-many")
        assert "Learning rate (Adam): received 1000; expected: 0.00001 to 10." in tab.inner_text("#p-status")
        tab.select_option("#p-preset", "leaky_relu")
        tab.fill("#p-rate", "10")
        tab.fill("#p-epochs", "2")
        tab.click("#train-many")
        assert "100 networks" in finished(tab)
        tab.locator("#p-depth").fill("30")
        tab.locator("#p-width").fill("20")
        tab.fill("#p-epochs", "1")
        tab.select_option("#p-activation", "tanh")
        tab.click("#train-one")
        assert "The network of seed " in finished(tab)
        tab.fill("#p-rate", "")
        tab.click("#train-one")
        assert "Learning rate (Adam): received nothing; expected: 0.00001 to 10." in tab.inner_text("#p-status")
        tab.locator("#p-depth").fill("1")
        assert tab.locator("#p-narrow").is_disabled()
        message = "(given) => window.deadrelu.count(given).catch((error) => error.message)"
        assert tab.evaluate(message, {"depth": 99}) == "depth: received 99; expected: 1 to 30"
        assert tab.evaluate(message, {"activation": "magic"}) == "activation: received magic"


def test_less_motion_is_a_picture_an_epoch(browser: Browser) -> None:
    with played(browser) as tab:
        tab.emulate_media(reduced_motion="reduce")
        tab.evaluate(
            """() => {
              window.pictures = 0;
              const watcher = new MutationObserver(() => window.pictures++);
              watcher.observe(document.getElementById("p-function"), { childList: true });
            }"""
        )
        tab.fill("#p-epochs", "3")
        tab.click("#train-one")
        finished(tab)
        assert 1 <= tab.evaluate("window.pictures") <= 4


def test_the_picture_in_the_readme_is_of_this_page(browser: Browser, tmp_path: Path) -> None:
    """The picture has the size of a new screenshot; DEADRELU_PICTURE=1 replaces it."""
    with played(browser, width=1200) as tab:
        tab.click("#train-many")
        finished(tab)
        tab.click("#train-all")
        tab.locator("#p-all", has_text="have the bits of the tables").wait_for()
        screenshot = tmp_path / "playground.png"
        tab.locator("#playground").screenshot(path=PICTURE if os.environ.get("DEADRELU_PICTURE") else screenshot)
    assert PICTURE.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    if screenshot.exists():
        sizes = [np.frombuffer(path.read_bytes()[16:24], ">u4").tolist() for path in (PICTURE, screenshot)]
        assert sizes[0][0] == sizes[1][0]
        assert abs(sizes[0][1] - sizes[1][1]) < 60
