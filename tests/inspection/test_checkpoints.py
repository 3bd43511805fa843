"""Test the comparison of two checkpoints: layers that died, recovered or changed, and none in equal models."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import Done, deadrelu

from deadrelu.inspection import checkpoints
from deadrelu.inspection.inspect import inspect

X = np.random.default_rng(8).normal(size=(80, 6)).astype(np.float32)


def run(folder: Path, *words: str) -> Done:
    with contextlib.chdir(folder):
        return deadrelu("inspect", *words)


def model(**biases: float) -> Any:
    import keras

    keras.utils.set_random_seed(2)
    layers = [keras.layers.Dense(8, "relu", kernel_initializer="he_normal", name=f"hidden_{k}") for k in range(3)]
    built = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(2, name="out")])
    for name, bias in biases.items():
        built.get_layer(name).bias.assign([bias] * 8)
    return built


def test_what_died_and_what_came_back() -> None:
    whole, broken = inspect(model(), X), inspect(model(hidden_1=-1000.0), X)
    died, back = checkpoints.changes(whole, broken), checkpoints.changes(broken, whole)
    assert died.sentences[0].startswith("Died: hidden_1")
    assert back.sentences[0].startswith("No longer dead: hidden_1")
    assert any(s.startswith("New: ") and "dead-network" in s for s in died.sentences)
    assert any(s.startswith("No longer: ") and "dead-network" in s for s in back.sentences)
    row = died.table.set_index("layer").loc["hidden_1"]
    assert (row["dead_units_after"], row["verdict_after"], row["changed"]) == (8, "dead", True)
    before = died.table.set_index("layer").loc["hidden_0"]  # its signal is unchanged, its gradient is gone
    assert (before["rms_after"], before["gradient_rms_after"], before["changed"]) == (before["rms_before"], 0, True)


def test_the_same_model_has_not_changed() -> None:
    changes = checkpoints.changes(inspect(model(), X), inspect(model(), X))
    assert not changes.table["changed"].any()
    assert changes.sentences[-1] == "In 4 layers, signal and gradient changed by less than a factor of 2."
    assert not any("Died" in sentence or "New" in sentence for sentence in changes.sentences)


def test_layers_of_one_model_only_are_named() -> None:
    import keras

    other = keras.Sequential([*model().layers[:2], keras.layers.Dense(2, name="head")])
    other.build((None, 6))
    changes = checkpoints.changes(inspect(model(), X), inspect(other, X))
    assert changes.sentences[0] == "Only in one of them: head, hidden_2, out."


def test_command_compares_with_an_earlier_checkpoint(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    model().save(tmp_path / "epoch_1.keras")
    model(hidden_1=-1000.0).save(tmp_path / "epoch_9.keras")
    words = ["epoch_9.keras", "--inputs", "x.npy", "--compare", "epoch_1.keras"]
    done = run(tmp_path, *words)
    assert "From epoch_1.keras to epoch_9.keras" in done.stdout
    assert "• Died: hidden_1" in done.stdout
    comparison = json.loads(run(tmp_path, *words, "--json").stdout)["compared"]
    assert comparison["sentences"][0].startswith("Died: hidden_1")
    assert [row["layer"] for row in comparison["layers"]] == ["hidden_0", "hidden_1", "hidden_2", "out"]
    missing = run(tmp_path, *words[:-1], "missing.keras")
    assert missing.returncode == 2
    assert "missing.keras: missing; expected: a .keras file" in missing.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("m.pt", "is a pickle, which can run any code"),
        ("m.pth", "torch.load('m.pth', weights_only=True)"),
        ("m.onnx", "has no gradients"),
        ("m.safetensors", "has weights but no layers"),
    ],
)
def test_files_of_others_are_refused_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    np.save(tmp_path / "x.npy", X)
    (tmp_path / name).write_bytes(b"\x80\x02")
    done = run(tmp_path, name, "--inputs", "x.npy")
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
