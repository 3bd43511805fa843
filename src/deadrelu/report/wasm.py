"""The engine's programs for the page, as WebAssembly: `make wasm` compiles them into `templates/programs.json`.

They are committed, as a bundle is: `make report` compiles none.
"""

import base64
import json
from pathlib import Path
from typing import get_args

from deadrelu.engine import programs
from deadrelu.engine.network import Activation, Architecture, Training

FILE = Path(__file__).parent / "templates" / "programs.json"

ANY_SIZE = (1, 0, 1)
"""Sizes of networks of any depth and width, with one input and one output."""

WRITTEN_OUT: tuple[tuple[Activation, bool, tuple[int, ...]], ...] = (
    ("relu", False, (1, 1, *[2] * 9, 1)),
    ("leaky_relu", False, (1, 1, *[2] * 9, 1)),
    ("relu", True, (1, *[2] * 9, 1)),
)
"""Networks that most readers train, the notebook's and those of Lu et al.: a program of their own takes a third of
the time, and 16 KB."""

TRAINING = Training(epochs=1, batch_size=64)
"""Mean squared error and Adam, as the page trains; the learning rate and the size of batches are arguments."""


def build() -> dict[str, str]:
    """Compile all programs of the page: base64, by the names that `engine.js` knows them by."""
    made = {}
    for activation in get_args(Activation):
        for biases in (False, True):
            made[name(activation, biases)] = compiled(activation, biases, ANY_SIZE, points=1)
    for activation, biases, sizes in WRITTEN_OUT:
        own = f"{name(activation, biases)} {'-'.join(map(str, sizes))}"
        made[own] = compiled(activation, biases, sizes, points=2)
    return {key: base64.b64encode(program).decode() for key, program in made.items()}


def name(activation: Activation, biases: bool) -> str:
    """Return the name of the program for networks of any size."""
    return activation + "-biases" * biases


def compiled(activation: Activation, biases: bool, sizes: tuple[int, ...], *, points: int) -> bytes:
    """Compile the programs of one kind of network, whose slope is an argument."""
    architecture = Architecture(sizes=sizes, activation=activation, negative_slope=0.0, biases=biases)
    return programs.webassembly(architecture, TRAINING, points=points)


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=0) + "\n", encoding="utf-8")
