"""Compile the engine to WebAssembly for the page: `make wasm` writes the programs to `templates/programs.json`.

The compiled programs are committed, so that `make report` need not compile them.
"""

import base64
import json
from pathlib import Path

from deadrelu.engine.network import Activation, Network, Training
from deadrelu.report import webassembly

FILE = Path(__file__).parent / "templates" / "programs.json"

ACTIVATIONS: tuple[Activation, ...] = ("relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid")
"""Activation functions that a reader of the page can choose."""

ANY_SIZE = (1, 0, 1)
"""Sizes that stand for any depth and width, with one input and one output."""

WRITTEN_OUT: tuple[tuple[Activation, bool, tuple[int, ...]], ...] = (
    ("relu", False, (1, 1, *[2] * 9, 1)),
    ("leaky_relu", False, (1, 1, *[2] * 9, 1)),
    ("relu", True, (1, *[2] * 9, 1)),
)
"""Activation, biases and sizes of networks that most readers train, the notebook's and those of Lu et al. A program for
exactly these sizes takes a third of the time, and 16 KB of the page."""

TRAINING = Training(epochs=1, batch_size=64)
"""Training on the page: mean squared error and Adam; the programs take learning rate and batch size as arguments."""


def build() -> dict[str, str]:
    """Compile all programs of the page and return them in base64, by the names that `trainers.js` uses."""
    binaries = {}
    for activation in ACTIVATIONS:
        for biases in (False, True):
            binaries[name(activation, biases)] = compiled(activation, biases, ANY_SIZE, points=1)
    for activation, biases, sizes in WRITTEN_OUT:
        own = f"{name(activation, biases)} {'-'.join(map(str, sizes))}"
        binaries[own] = compiled(activation, biases, sizes, points=2)
    return {key: base64.b64encode(program).decode() for key, program in binaries.items()}


def name(activation: Activation, biases: bool) -> str:
    """Return the name of the program for networks of any size with this activation, with or without biases."""
    return activation + "-biases" * biases


def compiled(activation: Activation, biases: bool, sizes: tuple[int, ...], *, points: int) -> bytes:
    """Return the compiled program for one kind of network; it computes `points` inputs at a time."""
    network = Network(widths=sizes[1:-1], activation=activation, biases=biases, initialize="zeros")
    return webassembly.compiled(network, TRAINING, points=points)


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=0) + "\n", encoding="utf-8")
