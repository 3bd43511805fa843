"""Run eight small trainings that use the whole engine, and hash the results of each of their steps by SHA-256.

`python tests/engine/golden.py` prints the hashes, and `--write` stores them in golden.json. It needs only NumPy,
llvmlite and pydantic, so that `tests/engine/arm64.sh` can run it on an emulated ARM64 processor.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from deadrelu import engine
from deadrelu.engine import initializers
from deadrelu.settings.initializer import FanScaled, Normal, Orthogonal, Rai, Uniform

FILE = Path(__file__).with_suffix(".json")
ROOT3 = 3**0.5
TRIALS = range(500, 530)
"""Numbers of the trials, on both sides of the end of a block."""


def trainings() -> dict[str, tuple[engine.Network, engine.Training, tuple[str, float, float, int]]]:
    """Return the network, the training and the target (function, interval, number of points) of each."""
    he, glorot = FanScaled(name="he_normal"), FanScaled(name="glorot_uniform")
    narrow = (1, 2, 2, 2, 2, 2, 2, 2, 2, 2)
    short = engine.Training(epochs=2, batch_size=64)
    absolute = engine.Training(epochs=2, batch_size=64, loss="mean_absolute_error")
    descent = engine.Training(epochs=2, batch_size=50, optimizer=engine.SGD(learning_rate=0.02))
    wild = engine.Training(epochs=2, batch_size=64, optimizer=engine.SGD(learning_rate=1e4))

    def net(widths: tuple[int, ...], activation: engine.network.Activation, drawn: object, **more: object):  # type: ignore[no-untyped-def]
        return engine.Network(widths=widths, activation=activation, initialize=initializers.sampler(drawn), **more)  # type: ignore[arg-type]

    notebook = ("x_sin_x", -(7**0.5), 7**0.5, 500)
    paper = ("x_sin_5x", -ROOT3, ROOT3, 300)
    two = ("abs_sum_abs_difference", -ROOT3, ROOT3, 200)
    return {
        "relu": (net(narrow, "relu", glorot), engine.Training(epochs=3, batch_size=64), notebook),
        "leaky_relu": (net(narrow, "leaky_relu", glorot, negative_slope=0.1), short, notebook),
        "rai": (net((2,) * 9, "relu", Rai(name="rai"), biases=True), absolute, paper),
        "elu-large": (net((30, 7, 12), "elu", he, biases=True, inputs=2, outputs=2), short, two),
        "gelu-orthogonal": (net((5, 3), "gelu", Orthogonal(name="orthogonal"), biases=True), descent, paper),
        "tanh-deep": (net((3,) * 30, "tanh", Normal(name="random_normal", stddev=0.9)), short, paper),
        "sigmoid": (net((6, 6), "sigmoid", Uniform(name="random_uniform", minval=-1.0, maxval=1.0)), absolute, paper),
        "diverging": (net((4, 4), "elu", FanScaled(name="lecun_normal"), biases=True), wild, notebook),
    }


def hashes(threads: int | None = None) -> dict[str, dict[str, str]]:
    """Return the SHA-256 of the points, weights before and after, losses and predictions of each training."""
    digests = {}
    for name, (network, training, target) in trainings().items():
        x, y = engine.Target(*target).sample(10)
        parts = list(engine.run(network, training, x, y, trials=TRIALS, seed=10, threads=threads))
        names = ("initial", "final", "loss")
        trained = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        predictions = engine.predict(network, trained["final"], x)
        results = {
            "points": np.concatenate([x.ravel(), y.ravel()]),
            **trained,
            "predictions": predictions,
            "mean_loss": engine.mean_loss(training, predictions, y),
        }
        digests[name] = {what: hashlib.sha256(values.tobytes()).hexdigest() for what, values in results.items()}
    return digests


if __name__ == "__main__":
    text = json.dumps(hashes(), indent=2) + "\n"
    if "--write" in sys.argv:
        FILE.write_text(text)
    else:
        print(text, end="")
