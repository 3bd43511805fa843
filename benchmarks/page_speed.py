"""Compare the time of 1,000 networks in the page, by `window.deadrelu.count` in Chromium, with the engine's."""

import json
import shutil
import time
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.table import Table

from deadrelu import engine
from deadrelu.errors import InputError
from deadrelu.settings.params import Params
from deadrelu.stages import experiments

REPORT = Path("reports/report.html")
NETWORKS = 1000

PROGRAMS = """async () => {
  const { sizes, activation, slope, biases } = window.deadrelu.cases.leaky_relu, n = 3000, rounds = 20, found = {};
  const x = Float32Array.from({ length: n }, (_, k) => k / n), order = Int32Array.from({ length: n }, (_, k) => k);
  const initial = Array.from({ length: 4 }, () => Float32Array.from({ length: 37 }, (_, k) => Math.sin(k + 1)));
  for (const [name, general] of [["own", false], ["any", true]]) {
    const network = { sizes, activation, slope, biases }, training = { batchSize: 64, rate: 0.001 };
    const given = [network, training, initial, x, x, initial.map(() => order), general];
    const trainers = await deadreluEngine.Trainers.of(...given);
    trainers.epoch(order);
    const start = performance.now();
    for (let k = 0; k < rounds; k++) trainers.epoch(order);
    found[name] = (10 * (performance.now() - start)) / rounds / 4; // a trial has ten epochs
  }
  return found;
}"""

LONG_TASKS = """() => {
  window.longest = 0;
  const seen = ({ duration }) => (window.longest = Math.max(window.longest, duration));
  new PerformanceObserver((list) => list.getEntries().forEach(seen)).observe({ type: "longtask" });
}"""


def main(params: Params, *, as_json: bool) -> None:
    """Print milliseconds per network, their ratio, and the page's longest task, if one takes 50 ms or more.

    Raises:
        InputError: there is no report, or no chromium.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium or not REPORT.exists():
        raise InputError(f"{REPORT}, chromium: received none; expected: both, by `make report` and apt-get")
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto(REPORT.resolve().as_uri())
        for key in params.main_cases:
            row = {"case": key, "native_ms": _native(params, key), "page_ms": _in_page(tab, key)}
            rows.append(row | {"ratio": row["page_ms"] / row["native_ms"]})
        programs = tab.evaluate(PROGRAMS)
        tab.evaluate(LONG_TASKS)
        start = time.perf_counter()
        tab.click("#train-all")
        tab.locator("#p-all", has_text="have the bits of the tables").wait_for()
        whole = {"seconds": time.perf_counter() - start, "longest_task_ms": tab.evaluate("window.longest")}
        browser.close()
    if as_json:
        print(json.dumps({"cases": rows, "programs_ms": programs, "whole": whole}, indent=2))
        return
    table = Table("case", "engine, ms/network", "page, ms/network", "ratio")
    for row in rows:
        table.add_row(str(row["case"]), f"{row['native_ms']:.3f}", f"{row['page_ms']:.2f}", f"{row['ratio']:.1f}")
    Console().print(
        table,
        f"A trial of Leaky ReLU by its own program: {programs['own']:.2f} ms, "
        f"by that for networks of any size: {programs['any']:.2f} ms.",
        f"The whole experiment in the page: {whole['seconds']:.1f} s; "
        f"longest task on its main thread: {whole['longest_task_ms']:.0f} ms.",
    )


def _native(params: Params, key: str) -> float:
    experiment = experiments.of_case(params, key)
    x, y = experiment.target.sample(experiment.seed)
    for _ in range(2):  # the first one compiles
        start = time.perf_counter()
        runs = engine.run(experiment.network, experiment.training, x, y, trials=range(NETWORKS), seed=experiment.seed)
        count = sum(len(part.trial) for part in runs)
        seconds = time.perf_counter() - start
    return 1000 * seconds / count


def _in_page(tab: object, key: str) -> float:
    for _ in range(2):
        start = time.perf_counter()
        tab.evaluate("(given) => window.deadrelu.count(given)", {"preset": key, "networks": NETWORKS})  # type: ignore[attr-defined]
        seconds = time.perf_counter() - start
    return 1000 * seconds / NETWORKS
