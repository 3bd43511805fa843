"""The playground trains the tables' trials bit by bit, tells a wrong bit, and stays usable whatever a browser lacks."""

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
def played(browser: Browser, page: Path = REPORT, *, first: str = "", **how: Any) -> Iterator[Page]:
    """The page, after a script of its reader's browser."""
    with opened(browser, page, **how) as tab:
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
    """The table of a case of `collapse`."""
    return parquet.read_parts(tables.TRIALS.path(key, ROOT / tables.DATA).parent, tables.TRIALS.schema)


def test_every_carried_trial_ends_with_the_bits_of_the_tables(browser: Browser) -> None:
    """Compared here with the Parquet rows, and there with what the page carries."""
    with played(browser) as tab:
        carried = tab.evaluate(
            "Object.entries(window.deadrelu.cases).map(([key, of]) => [key, Object.keys(of.trials)])"
        )
        assert [key for key, _ in carried] == ["relu", "leaky_relu"]
        moved = 0
        for key, trials in carried:
            assert [int(trial) for trial in trials][:8] == list(range(8))
            rows = trials_of(key)
            weights = parquet.read(tables.WEIGHTS.path(key, ROOT / tables.DATA), tables.WEIGHTS.schema)
            for trial in map(int, trials):
                found = tab.evaluate(
                    """([key, trial]) => window.deadrelu.train({ case: key, trial }).then((found) =>
                    ["initial", "final", "loss"].map((name) => [...new Uint32Array(found[name].buffer)]))""",
                    [key, trial],
                )
                expected = [weights["initial"][trial], weights["final"][trial], rows["loss"][trial]]
                assert found == [np.asarray(array, np.float32).view(np.uint32).tolist() for array in expected]
                moved += found[0] != found[1]
        assert moved > 16  # not only networks that are dead
        assert tab.evaluate("window.deadrelu.prove()") == {"equal": 32, "total": 32}
        assert "32 of 32 trials end with the bits of the tables." in tab.inner_text("#p-proofs")


def test_a_wrong_last_bit_is_told(browser: Browser, tmp_path: Path) -> None:
    text = REPORT.read_text()
    found = re.search(r'<script type="application/json" id="playground-data">(.*?)</script>', text, re.DOTALL)
    assert found
    data = json.loads(found[1])
    trial = data["proof"]["cases"]["leaky_relu"]["trials"]["3"]
    final = np.frombuffer(base64.b64decode(trial["final"]), np.uint32).copy()
    final[5] ^= 1
    trial["final"] = base64.b64encode(final.tobytes()).decode()
    (tmp_path / "report.html").write_text(text.replace(found[1], json.dumps(data)))
    with played(browser, tmp_path / "report.html") as tab:
        assert tab.evaluate("window.deadrelu.prove()") == {"equal": 31, "total": 32}
        (line,) = tab.locator("#p-proofs .differs").all_inner_texts()
        assert line.startswith("Leaky ReLU (slope 0.1), trial 3: differs: weight 5 is ")
        answer = tab.evaluate("window.deadrelu.train({ case: 'relu', trial: 999 }).catch((error) => error.message)")
        assert answer.startswith("received case relu, trial 999; expected: relu: 0, 1, 2")


def test_a_class_sees_nine_in_ten_networks_die(browser: Browser) -> None:
    with played(browser) as tab:
        tab.click("#train-many")
        text = finished(tab)
        assert text.startswith("100 networks in ")
        counts = [int(number) for number in tab.locator("#p-tally .bar > :last-child").all_inner_texts()]
        assert sum(counts) == 100
        assert counts[0] > 75  # of 100 with probability 0.925: fewer with 1e-8
        assert tab.locator("#p-multiples svg").count() == 100
        rates = tab.inner_text("#p-rates").replace("\u00a0", " ")
        assert re.search(
            r"Constant after training here: \d+\.\d % \(95 % interval .* In the pipeline: 96\.0 % \(94\.6 % to", rates
        )
        assert "Theory, dead at initialization: 92.5 %" in rates


@pytest.mark.parametrize(("preset", "networks"), [("relu", 400), ("leaky_relu", 100)])
def test_tallies_are_those_of_theory_and_of_the_pipeline(preset: str, networks: int, browser: Browser) -> None:
    """Another generator, the same distribution, of each outcome: a false alarm in 10,000 for all of a case."""
    with played(browser) as tab:
        given = {"preset": preset, "networks": networks, "seed": 3}
        found = tab.evaluate("(given) => window.deadrelu.count(given)", given)
        again = tab.evaluate("(given) => window.deadrelu.count(given)", given)
    assert found == again
    assert sum(found[outcome] for outcome in (*outcomes.OUTCOMES, "diverged")) == found["networks"] == networks
    rows = trials_of(preset)
    here = outcomes.outcomes(rows, 1e-3)
    constant = ("born_dead", "died", "stayed_within", "became_within")
    assert found["collapsed"] == sum(found[outcome] for outcome in constant)
    for names in (constant, *([outcome] for outcome in outcomes.OUTCOMES)):
        ours, theirs = int(np.isin(here, names).sum()), sum(found[name] for name in names)
        counts = (np.array([number]) for number in (theirs, networks, ours, len(rows)))
        assert fisher_exact(*counts)[0] > 1e-5, names
    if preset == "relu":
        exact = theory.born_dead_on_interval([1, *[2] * 9]).low
        assert stats.binomtest(found["born_dead"], networks, exact).pvalue > 1e-4


SIDES = (-1.5, -0.5, 0.5, 1.5)
"""Two inputs on each side of 0."""


def test_outcomes_are_those_of_the_pipeline(browser: Browser) -> None:
    """Predictions at four inputs, by the script and by `outcomes.outcomes`: random ones, of every outcome."""
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
        found = tab.evaluate(
            """([before, after, xs]) => {
              const words = { nan: NaN, inf: Infinity, "-inf": -Infinity };
              const numbers = (texts) => texts.map((text) => (text in words ? words[text] : Number(text)));
              return before.map((row, k) => deadreluTrial.outcomeOf(numbers(row), numbers(after[k]), xs, 1e-3));
            }""",
            [*numbers, list(SIDES)],
        )
        assert found == expected
        names = tab.evaluate("window.deadrelu.count({ networks: 1, epochs: 1 }).then((found) => Object.keys(found))")
    assert names == ["networks", *outcomes.OUTCOMES, "diverged", "collapsed"]


def test_every_outcome_has_its_colour_on_both_pages(browser: Browser) -> None:
    """Seven bars, no two alike, as in the figures; none is the colour of what has no outcome."""
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
        tab.focus("#p-step")
        tab.keyboard.press("Enter")
        assert tab.locator("#p-network").inner_html() != before
        assert tab.locator("#p-network .unit").count() == 21
        assert re.search(r"Dead units \(0 on all points, dark\): \d+ of 19", tab.inner_text("#p-state"))
        tab.click("#p-pause")
        assert "Network 1: " in finished(tab)
        assert "loss, 10 of 10 epochs" in tab.locator("#p-loss").text_content()
        assert serious(tab) == []


def test_dead_units_are_dark(browser: Browser) -> None:
    with played(browser) as tab:
        tab.fill("#p-epochs", "1")
        for _ in range(5):  # all five alive: with 2e-6
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
    ],
    ids=["none", "forbidden", "dies"],
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
        assert "Network 1: " in finished(tab)
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
    """DEADRELU_PICTURE=1 makes it anew."""
    with played(browser, width=1200) as tab:
        tab.click("#train-many")
        finished(tab)
        tab.locator("#p-proofs").scroll_into_view_if_needed()
        tab.locator("#p-proofs details").wait_for()
        made = tmp_path / "playground.png"
        tab.locator("#playground").screenshot(path=PICTURE if os.environ.get("DEADRELU_PICTURE") else made)
    assert PICTURE.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    if made.exists():
        sizes = [np.frombuffer(path.read_bytes()[16:24], ">u4").tolist() for path in (PICTURE, made)]
        assert sizes[0][0] == sizes[1][0]
        assert abs(sizes[0][1] - sizes[1][1]) < 60
