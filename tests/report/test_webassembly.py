"""Test that the page's programs have the engine's bits in a browser and in node, and are the committed ones."""

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from engine.golden import FILE, TRIALS, trainings
from helpers.projects import ROOT
from playwright.sync_api import Browser

from deadrelu import engine
from deadrelu.engine import shuffles
from deadrelu.report import wasm, webassembly
from deadrelu.streams import WEIGHTS, stream

pytestmark = pytest.mark.without_digits

TEMPLATES = ROOT / "src/deadrelu/report/templates"
GOLDEN = json.loads(FILE.read_text())

READ = """
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const bits = (array) => [...new Uint32Array(array.buffer, array.byteOffset, array.length)];
"""

TRAIN = f"""async ([programs, network, training, initial, x, y, orders, rows]) => {{
    {READ}
    const floats = (text) => new Float32Array(bytes(text)), whole = (text) => new Int32Array(bytes(text));
    if (!deadreluEngine.load(programs)) throw new Error("not valid");
    const points = [floats(x), floats(y)], order = (k) => whole(orders[k]), row = (k) => whole(rows[k]);
    const given = [initial.map(floats), ...points, order, row, rows.length];
    const found = await deadreluEngine.trials(network, training, ...given);
    return found.map(({{ final, loss, after }}) => [bits(final), bits(loss), bits(after)]);
}}"""


def text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def sha256(rows: list[list[int]], shape: tuple[int, ...]) -> str:
    """Hash float32 numbers given by their bits, with one NaN for all: processors and browsers differ in its sign."""
    values = np.array(rows, np.uint32).view(np.float32).reshape(shape)
    values[np.isnan(values)] = np.nan
    return hashlib.sha256(values.tobytes()).hexdigest()


Run = Callable[[list[Any]], list[list[list[int]]]]


@pytest.fixture(params=["browser", "node"])
def train(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Yield a function that trains some networks in a browser, or in node where it is installed."""
    source = (TEMPLATES / "trainers.js").read_text()
    if request.param == "browser":
        page = request.getfixturevalue("browser").new_page()
        page.add_script_tag(content=source)
        yield lambda args: page.evaluate(TRAIN, args)
        page.close()
        return
    if shutil.which("node") is None:
        pytest.skip("no node here")
    code = (
        f"{source}\n({TRAIN})(JSON.parse(require('fs').readFileSync(0))).then((x) => console.log(JSON.stringify(x)));"
    )

    def run(args: list[Any]) -> list[list[list[int]]]:
        done = subprocess.run(["node", "-e", code], input=json.dumps(args), capture_output=True, text=True, check=True)
        results: list[list[list[int]]] = json.loads(done.stdout)
        return results

    yield run


@pytest.mark.parametrize("name", list(trainings()))
def test_golden_trainings_have_their_bits(name: str, train: Run) -> None:
    network, training, target = trainings()[name]
    x, y = engine.Target(*target).sample(10)
    program = base64.b64encode(webassembly.compiled(network, training)).decode()
    about = {
        "sizes": network.sizes,
        "activation": network.activation,
        "slope": network.negative_slope,
        "biases": network.biases,
    }
    method = {"batchSize": training.batch_size, "rate": training.optimizer.learning_rate}
    method["optimizer"] = "adam" if isinstance(training.optimizer, engine.Adam) else "sgd"
    initial = engine.draw_weights(network, 10, np.array(TRIALS))
    results: list[Any] = []
    for block in (range(500, 512), range(512, 530)):
        rows = [text(shuffles.left(len(x), 10, block[0] // shuffles.BLOCK, k)) for k in range(training.epochs)]
        for first in range(block[0], block[-1] + 1, 7):
            numbers = range(first, min(first + 7, block[-1] + 1))
            starts = [text(initial[k - TRIALS[0]]) for k in numbers]
            orders = [text(shuffles.right(len(x), 10, k % shuffles.BLOCK)) for k in numbers]
            args = [{wasm.name(network.activation, network.biases): program}, about, method, starts, text(x), text(y)]
            results += train([*args, orders, rows])
    final, loss, after = ([trial[part] for trial in results] for part in range(3))
    assert sha256(final, initial.shape) == GOLDEN[name]["final"]
    assert sha256(loss, (len(TRIALS), training.epochs)) == GOLDEN[name]["loss"]
    assert sha256(after, (len(TRIALS), len(x), network.outputs)) == GOLDEN[name]["predictions"]


def test_committed_programs_are_those_of_the_engine() -> None:
    """A new build has the same programs; `make wasm` writes them."""
    assert json.loads(wasm.FILE.read_text()) == wasm.build()


def test_the_page_draws_what_the_pipeline_draws(browser: Browser) -> None:
    page = browser.new_page()
    page.add_script_tag(content=(TEMPLATES / "streams.js").read_text())
    network = engine.Network(widths=(1, 2, 3), activation="relu", initialize="glorot_uniform")
    for seed in (0, 10, 2**31, 2**40 + 7):
        random = "deadreluStreams.stream(BigInt(seed), 2, 700).random"
        numbers = page.evaluate(f"([seed]) => [1, 2, 3].map({random})", [str(seed)])
        assert numbers == stream(seed, WEIGHTS, 700).random(3).tolist()
        for trial, n in ((3, 3000), (700, 50)):
            drawn = page.evaluate(
                f"""([seed, trial, n]) => {{
                    {READ}
                    const {{ left, right, glorot }} = deadreluStreams;
                    return [[...left(n, BigInt(seed), trial, 2)], [...right(n, BigInt(seed), trial)],
                            bits(glorot(BigInt(seed), trial, [1, 1, 2, 3, 1]))];
                }}""",
                [str(seed), trial, n],
            )
            weights = engine.draw_weights(network, seed, np.array([trial]))[0]
            left, right = (
                shuffles.left(n, seed, trial // shuffles.BLOCK, 2),
                shuffles.right(n, seed, trial % shuffles.BLOCK),
            )
            assert drawn == [left.tolist(), right.tolist(), weights.view(np.uint32).tolist()]
    page.close()
