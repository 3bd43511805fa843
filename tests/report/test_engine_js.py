"""The page's engine has the bits of the engine: random networks of every activation, trained in a browser."""

import base64
from typing import Any

import numpy as np
import pytest
from helpers.projects import ROOT
from playwright.sync_api import Browser

from deadrelu import engine
from deadrelu.engine import initializers
from deadrelu.engine.shuffles import epoch_order
from deadrelu.settings import params

pytestmark = pytest.mark.without_digits

SOURCE = (ROOT / "src/deadrelu/report/templates/engine.js").read_text()
POINTS, SEED = 150, 4


def text(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


TRAIN = """([network, training, initial, x, y, orders]) => {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
    const floats = (text) => new Float32Array(bytes(text));
    const found = deadreluEngine.trial(
      network, training, floats(initial), floats(x), floats(y), orders.map((order) => new Int32Array(bytes(order))));
    return [[...new Uint32Array(found.final.buffer)], [...new Uint32Array(found.loss.buffer)]];
}"""


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"])
@pytest.mark.parametrize(
    ("widths", "more"),
    [
        ((1, 2, 2, 2, 2, 2, 2, 2, 2, 2), {}),
        ((2, 3), {"biases": True}),
        ((4, 4, 4), {"optimizer": engine.SGD(learning_rate=0.05), "biases": True}),
        ((3,), {"loss": "mean_absolute_error", "outputs": 2, "inputs": 2}),
    ],
    ids=["notebook", "biases", "sgd", "absolute"],
)
def test_no_bit_differs(activation: Any, widths: tuple[int, ...], more: dict[str, Any], browser: Browser) -> None:
    rng = np.random.default_rng(8)
    inputs, outputs, biases = more.get("inputs", 1), more.get("outputs", 1), more.get("biases", False)
    draw = params.Rai(name="rai") if biases else params.FanScaled(name="he_normal")
    network = engine.Network(
        widths=widths,
        activation=activation,
        negative_slope=0.1 if activation == "leaky_relu" else 0.0,
        biases=biases,
        inputs=inputs,
        outputs=outputs,
        initialize=initializers.sampler(draw),
    )
    training = engine.Training(
        epochs=3,
        batch_size=64,
        optimizer=more.get("optimizer", engine.Adam(learning_rate=0.01)),
        loss=more.get("loss", "mean_squared_error"),
    )
    x = rng.uniform(-2, 2, (POINTS, inputs)).astype(np.float32)
    y = rng.normal(size=(POINTS, outputs)).astype(np.float32)
    (trained,) = engine.run(network, training, x, y, trials=range(6), seed=SEED)
    page = browser.new_page()
    page.add_script_tag(content=SOURCE)
    is_adam = isinstance(training.optimizer, engine.Adam)
    about = {
        "sizes": [inputs, *widths, outputs],
        "activation": activation,
        "slope": network.negative_slope,
        "biases": biases,
    }
    how = {
        "batchSize": training.batch_size,
        "rate": training.optimizer.learning_rate,
        "optimizer": "adam" if is_adam else "sgd",
        "loss": training.loss,
    }
    moved = 0
    for k in range(6):
        orders = [text(epoch_order(POINTS, SEED, k, epoch)) for epoch in range(3)]
        final, loss = page.evaluate(TRAIN, [about, how, text(trained.initial[k]), text(x), text(y), orders])
        assert final == trained.final[k].view(np.uint32).tolist()
        assert loss == trained.loss[k].view(np.uint32).tolist()
        moved += bool((trained.final[k] != trained.initial[k]).any())
    assert moved >= 1
    page.close()
