"""Test that eight trainings have the bits of golden.json on this processor, and with code compiled for others."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from golden import FILE, TRIALS, hashes, trainings
from helpers.training import joined

from deadrelu import engine
from deadrelu.engine import compiler, programs
from deadrelu.errors import InputError

GOLDEN = json.loads(FILE.read_text())

NUMPY_PLAIN = {"NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX AVX2 FMA3", "OPENBLAS_CORETYPE": "Prescott"}
"""Settings with which NumPy and OpenBLAS do without the instructions of newer processors."""


@pytest.mark.parametrize("threads", [1, 2])
def test_bits_are_those_of_every_processor(threads: int) -> None:
    assert hashes(threads) == GOLDEN


def test_trainings_differ_and_do_what_they_are_for() -> None:
    """Weights move; all activations and both kinds of programs occur; of two trainings that run again, one diverges."""
    kinds = trainings()
    assert {network.activation for network, _, _ in kinds.values()} == {
        "relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid",
    }  # fmt: skip
    assert {programs.is_unrolled(network) for network, _, _ in kinds.values()} == {True, False}
    assert all(of["initial"] != of["final"] for of in GOLDEN.values())
    assert len({of["final"] for of in GOLDEN.values()}) == len(GOLDEN)
    for name in ("diverging", "elu-large"):
        network, training, target = kinds[name]
        (trained,) = engine.run(network, training, *engine.Target(*target).sample(10), trials=range(500, 503), seed=10)
        assert np.isfinite(trained.loss).all() == (name != "diverging")


@pytest.mark.parametrize(
    "processor", ["generic", *(pytest.param(name, marks=pytest.mark.soak) for name in ("x86-64", "nehalem", "haswell"))]
)
def test_code_made_for_another_processor_gives_the_same_bits(processor: str) -> None:
    """The trainings run in a new process, in which NumPy uses the instructions of an old processor, too."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DEADRELU_CPU", processor)
            compiler.processor()
    except InputError as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", FILE.with_suffix(".py")],
        env=os.environ | NUMPY_PLAIN | {"DEADRELU_CPU": processor}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == GOLDEN


def test_a_processor_that_cannot_be_played_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEADRELU_CPU", "abacus")
    with pytest.raises(InputError, match="DEADRELU_CPU: received 'abacus'; expected one of generic") as caught:
        compiler.processor()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lanes", [8, pytest.param(32, marks=pytest.mark.soak)])
def test_any_number_of_lanes(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "lanes", lambda _: lanes)
    assert hashes() == GOLDEN


def test_alone_or_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial alone has the weights and losses that it has among thirty."""
    network, training, target = trainings()["rai"]
    points = engine.Target(*target).sample(10)
    (first, second) = engine.run(network, training, *points, trials=TRIALS, seed=10)
    among = joined([first, second])
    for k in (0, 11, 12, 29):
        (alone,) = engine.run(network, training, *points, trials=range(TRIALS[k], TRIALS[k] + 1), seed=10)
        assert alone.final.tobytes() == among.final[k : k + 1].tobytes()
        assert alone.loss.tobytes() == among.loss[k : k + 1].tobytes()
