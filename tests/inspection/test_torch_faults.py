"""Test PyTorch models on which `inspect` once failed, reported what is not true, or left something behind."""

import gc
import os
import subprocess
import sys
import weakref
from typing import Any

import numpy as np
import pytest

from deadrelu.errors import InputError
from deadrelu.inspection.inspect import Inspection, inspect
from deadrelu.inspection.measure import measure
from deadrelu.inspection.opening import opened

torch = pytest.importorskip("torch", reason="`pip install torch` runs the tests of PyTorch models")
nn, functional = torch.nn, torch.nn.functional

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(64, 12)).astype(np.float32), RNG.integers(0, 4, 64)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def alarms(inspection: Inspection) -> list[str]:
    return [finding.code for finding in inspection.findings if finding.severity != "note"]


def test_averages_with_nan_are_undone() -> None:
    model = nn.Sequential(nn.Linear(12, 8), nn.BatchNorm1d(8), nn.Linear(8, 4))
    with torch.no_grad():
        model[0].weight[0, 0] = torch.nan
    inspection = inspect(model, X, training=True)
    assert model[1].running_mean.isfinite().all()
    (broken,) = (finding for finding in inspection.findings if finding.code == "not-finite")
    assert [name for name in broken.layers if "(" in name] == ["0 (weight)"]


def test_hooks_that_a_forward_registers_are_gone() -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out, self.ready = nn.Linear(12, 4), False

        def forward(self, x: Any) -> Any:
            if not self.ready:
                self.out.register_forward_hook(lambda *_: None)
                self.ready = True
            return self.out(x)

    model = Lazy()
    inspect(model, X)
    inspect(model, X)
    assert (len(model.out._forward_hooks), model.ready) == (0, False)


def test_nothing_holds_on_to_a_tensor_after_a_look() -> None:
    """Tensors are freed before the next garbage collection, which may come late and so keep a large model's memory."""
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4))
    outputs: list[weakref.ref[Any]] = []
    model[0].register_forward_hook(lambda module, inputs, output: outputs.append(weakref.ref(output)))
    gc.collect()
    gc.disable()
    try:
        inspect(model, X)
        assert len(outputs) > 3
        assert [ref for ref in outputs if ref() is not None] == []
    finally:
        gc.enable()


def test_a_large_model_with_zeros_is_not_taken_for_one_that_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of large models are checked, not copied; the step on weights of zeros is made by `inspect` itself."""
    from deadrelu.inspection.pytorch import kept

    monkeypatch.setattr(kept, "MAX_COPIED_BYTES", 0)
    model = nn.Sequential(nn.Linear(12, 8), nn.Linear(8, 4))
    nn.init.zeros_(model[1].weight)
    assert "zero-weights" in inspect(model, X, Y).codes
    assert not model[1].weight.any()


def test_a_keras_model_on_this_backend_is_refused() -> None:
    code = (
        "import keras, numpy as np; from deadrelu import inspect; from deadrelu.errors import InputError\n"
        "model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(4)])\n"
        "try:\n    inspect(model, np.eye(12, dtype='f4'))\nexcept InputError as error:\n    print(error)"
    )
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(
        "model: received a Keras model on the torch backend; expected: KERAS_BACKEND=tensorflow"
    )


def test_zeros_on_purpose_are_no_fault() -> None:
    """Zeros in a head and in the last scale of each residual branch let all weights move after a step or two."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Linear(12, 12, bias=False), nn.LayerNorm(12)
            nn.init.zeros_(self.norm.weight)

        def forward(self, x: Any) -> Any:
            return x + self.norm(self.conv(x).relu())

    model = nn.Sequential(nn.Linear(12, 12), Block(), Block(), nn.Linear(12, 4))
    nn.init.zeros_(model[3].weight)
    before = [weight.clone() for weight in model.parameters()]
    inspection = inspect(model, X, Y)
    assert alarms(inspection) == []
    (zero,) = (finding for finding in inspection.findings if finding.code == "zero-weights")
    assert zero.layers == ["3", "1.norm", "2.norm"]
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    with torch.no_grad():
        model[1].conv.weight.fill_(0.0)
        model[0].bias.fill_(100.0)
        model[1].conv.weight.fill_(-1.0)  # a branch that is dead behind a scale of 0 is found after the step
    assert "dead-layer" in alarms(inspect(model, X, Y))


def test_factors_typed_by_hand_count() -> None:
    class Scaled(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.a, self.b, self.factor = nn.Linear(12, 12), nn.Linear(12, 4), factor

        def forward(self, x: Any) -> Any:
            return self.b(functional.relu(self.a(x)) * self.factor)

    class Capped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(12, 12), nn.Linear(12, 4)

        def forward(self, x: Any) -> Any:
            return self.b(30 * torch.tanh(self.a(x) / 30))

    assert {"signal-vanishes", "unusual-scale"} & set(alarms(inspect(Scaled(0.001), X)))
    assert alarms(inspect(Scaled(1.0), X)) == []
    assert alarms(inspect(Capped(), X)) == []


def test_activations_written_out_are_activations() -> None:
    class NewGELUActivation(nn.Module):
        def forward(self, x: Any) -> Any:
            return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x**3)))

    model = nn.Sequential(nn.Linear(12, 8), NewGELUActivation(), nn.Linear(8, 4))
    table = inspect(model, X).table
    assert table["activation"].tolist() == ["", "gelu", ""]
    with torch.no_grad():
        model[0].bias[:3] = -1000.0
    assert inspect(model, X).table["dead_units"].tolist() == [0, 3, 0]


def test_every_embedding_takes_tokens() -> None:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag, self.out = nn.EmbeddingBag(500, 8), nn.Linear(8, 4)

        def forward(self, x: Any) -> Any:
            return self.out(self.bag(x))

    inspection = inspect(Bag(), RNG.integers(0, 500, (20, 6)))
    assert alarms(inspection) == []
    assert "unusual-inputs" not in inspection.codes


class Language(nn.Module):
    """A model as in transformers: it takes a dictionary with flags, None and masks, and returns one with the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(9, 8), nn.Linear(8, 9)

    def forward(self, input_ids: Any, mask: Any = None, labels: Any = None, use_cache: bool = True) -> Any:
        assert use_cache is False
        h = self.table(input_ids)
        h = h if mask is None else (mask.float() @ h) / mask.shape[0]
        logits = self.out(h)
        loss = None if labels is None else functional.cross_entropy(logits.flatten(0, 1), labels.flatten())

        class Made(dict[str, Any]):
            loss: Any = None

        result = Made(logits=logits) if loss is None else Made(loss=loss, logits=logits)
        result.loss = loss
        return result


def test_dictionaries_with_flags_none_and_masks() -> None:
    model = Language()
    tokens = RNG.integers(0, 9, (20, 6))
    inputs = {"input_ids": tokens, "labels": None, "use_cache": False}
    assert inspect(model, inputs).table["layer"].tolist() == ["table", "out"]
    masked = inputs | {"mask": torch.ones(6, 6).tril()}
    assert "out" in inspect(model, masked).table["layer"].tolist()
    own = inspect(model, inputs | {"labels": tokens})
    assert own.gradient_of == "the model's own loss"
    labelled = inspect(model, inputs, tokens)
    assert labelled.gradient_of == "cross-entropy from logits"
    assert own.table["kernel_gradient_rms"].iloc[-1] == pytest.approx(
        labelled.table["kernel_gradient_rms"].iloc[-1], 1e-4
    )
    left_out = np.where(np.arange(6) < 3, tokens, -100)
    assert inspect(model, inputs, left_out).table["gradient_rms"].iloc[-1] > 0


def test_compiled_traced_and_exported_modules() -> None:
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4))
    expected = inspect(model, X).table["rms"].tolist()
    traced = torch.fx.symbolic_trace(model)
    assert inspect(traced, X).table["rms"].tolist() == pytest.approx(expected)
    model.compile()
    assert inspect(model, X).table["rms"].tolist() == pytest.approx(expected)
    assert model._compiled_call_impl is not None
    plain = nn.Sequential(nn.Linear(12, 8), nn.ReLU())
    exported = torch.export.export(plain, (torch.tensor(X),), strict=False).module()
    with pytest.raises(InputError, match=r"^model: "):  # a graph of one fixed number of inputs
        inspect(exported, X)
    sizes = {0: torch.export.Dim("inputs", min=2)}
    table = inspect(torch.export.export(model, (torch.tensor(X),), dynamic_shapes=(sizes,)).module(), X).table
    assert table["kind"].tolist() == ["weights", "activation", "output"]
    assert table["rms"].tolist() == pytest.approx(expected)
    assert table["kernel_gradient_rms"].dropna().gt(0).all()


def test_gradients_of_several_batches_add_up_though_weights_share_them() -> None:
    """The gradients of two weights whose sum is the kernel are one tensor, which must not be added to itself."""

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = (nn.Parameter(torch.randn(4, 12)) for _ in range(2))

        def forward(self, x: Any) -> Any:
            return functional.linear(x, self.a + self.b)

    model = Sum()
    functional.cross_entropy(model(torch.tensor(X)), torch.tensor(Y)).backward()
    expected = model.a.grad.square().mean().sqrt().item()
    with opened(model, X, Y) as ready:
        weights = measure(ready.subject, ready.x, ready.objective, size=16).weights
    sizes = {weight.name: weight.gradient_rms for weight in weights if weight.trainable}
    assert sizes == {"a": pytest.approx(expected, rel=1e-5), "b": pytest.approx(expected, rel=1e-5)}
    assert not model.a._backward_hooks


def test_detectors_are_refused_with_the_reason() -> None:
    """Detectors of torchvision want targets in training mode; in inference mode, their layers depend on the images."""

    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = nn.Linear(12, 8), nn.Linear(8, 4)

        def forward(self, images: Any, targets: Any = None) -> list[dict[str, Any]]:
            if self.training and targets is None:
                raise ValueError("targets should not be none when in training mode")
            return [{"boxes": self.head(torch.relu(features))} for features in self.backbone(images)]

    with pytest.raises(InputError, match="targets should not be none when in training mode"):
        inspect(Detector(), X, training=True)
    with pytest.raises(InputError, match="calls other layers for other inputs"):
        inspect(Detector(), X)


class Words(nn.Module):
    """Embeddings of five tokens, their mean, and a linear layer."""

    def __init__(self, *, sparse: bool) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.words, self.out = nn.Embedding(50, 8, sparse=sparse), nn.Linear(8, 4)

    def forward(self, tokens: Any) -> Any:
        return self.out(self.words(tokens).mean(1))


def test_sparse_gradients_are_those_of_dense_ones() -> None:
    tokens = RNG.integers(0, 50, (64, 5))
    sparse, dense = (inspect(Words(sparse=kind), tokens, Y, batch_size=16).table for kind in (True, False))
    assert sparse["kernel_gradient_rms"].gt(0).any()
    assert sparse["kernel_gradient_rms"].tolist() == pytest.approx(dense["kernel_gradient_rms"].tolist(), nan_ok=True)


def test_hooks_of_the_user_change_no_measured_gradient() -> None:
    model, calls = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4)), []
    expected = inspect(model, X, Y).table["kernel_gradient_rms"].tolist()
    model[0].weight.register_hook(lambda gradient: calls.append(1) or gradient.clamp(-1e-6, 1e-6))
    measured = inspect(model, X, Y, batch_size=16).table["kernel_gradient_rms"].tolist()
    assert measured == pytest.approx(expected, rel=1e-5, nan_ok=True)
    assert not calls
    functional.cross_entropy(model(torch.tensor(X)), torch.tensor(Y)).backward()
    assert calls == [1]
    assert model[0].weight.grad.abs().max() <= 1e-6


def test_gradients_of_half_precision_are_added_up_in_single() -> None:
    """With equal labels, gradients do not cancel, so that a sum over many batches in bfloat16 would lose digits."""
    model, inputs = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4)).bfloat16(), np.repeat(X, 16, axis=0)
    labels = np.zeros(len(inputs), int)
    one, many = (inspect(model, inputs, labels, batch_size=n).table["kernel_gradient_rms"].tolist() for n in (1024, 2))
    assert many == pytest.approx(one, rel=0.02, nan_ok=True)


def test_weights_of_inference_mode_are_refused() -> None:
    with torch.inference_mode():
        model = nn.Linear(12, 4)
    with pytest.raises(InputError, match=r"weights of torch\.inference_mode"):
        inspect(model, X, Y)
