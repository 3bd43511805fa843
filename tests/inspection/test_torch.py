"""Test that PyTorch models have the table of equal Keras models, that planted faults are found, and models unchanged.

PyTorch is no dependency: these tests need `pip install torch`.
"""

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deadrelu.errors import InputError
from deadrelu.inspection.inspect import inspect
from deadrelu.watch import DeadUnitLog

torch = pytest.importorskip("torch", reason="`pip install torch` runs the tests of PyTorch models")
nn, functional = torch.nn, torch.nn.functional

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(96, 12)).astype(np.float32), RNG.integers(0, 4, 96)
IMAGES = RNG.normal(size=(40, 3, 10, 10)).astype(np.float32)
SEQUENCES = RNG.normal(size=(24, 6, 16)).astype(np.float32)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(3)


def mlp() -> Any:
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4))


class Residual(nn.Module):
    """A residual block as in ResNet: one in-place ReLU that is called twice, and an in-place sum."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.bn1, self.bn2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x
        return self.relu(y)


def resnet() -> Any:
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)]
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), Residual(), Residual(), *head)


class UNet(nn.Module):
    """A U-Net with functional ReLUs, pooling, upsampling, and a skip connection by concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.bottom = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.up, self.out = nn.Conv2d(12, 6, 3, padding=1), nn.Conv2d(6, 1, 1)

    def forward(self, x: Any) -> Any:
        down = functional.relu(self.down(x))
        bottom = torch.relu(self.bottom(functional.max_pool2d(down, 2)))
        up = functional.interpolate(bottom, scale_factor=2)
        return self.out(self.up(torch.cat([down, up], dim=1)).relu())


def transformer() -> Any:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


class ByHand(nn.Module):
    """A network whose weights are parameters, without modules inside."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(12, 8) / 3), nn.Parameter(torch.randn(8, 4) / 3)
        self.bias = nn.Parameter(torch.zeros(8))

    def forward(self, x: Any) -> Any:
        return torch.clamp(functional.leaky_relu(x @ self.first + self.bias, 0.1), max=9) @ self.second


class SequenceFirst(nn.Module):
    """A network with tensors of shape (positions, inputs, features), whose head reads the state of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.attend, self.lstm, self.out = nn.TransformerEncoderLayer(16, 2, 32), nn.LSTM(16, 8), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        _, (state, _) = self.lstm(self.attend(x.transpose(0, 1)))
        return self.out(state[-1])


def state_of(model: Any) -> list[Any]:
    weights = [(w.detach().clone(), w.requires_grad, w.grad) for w in model.parameters()]
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), m.training) for m in model.modules()]
    return [weights, [b.clone() for b in model.buffers()], hooks, torch.random.get_rng_state().tolist()]


def assert_same_state(a: list[Any], b: list[Any]) -> None:
    for (weight, needed, gradient), (other, also, also_gradient) in zip(a[0], b[0], strict=True):
        assert torch.equal(weight, other)
        assert needed == also
        assert (gradient is None) == (also_gradient is None)
    assert all(torch.equal(x, y) for x, y in zip(a[1], b[1], strict=True))
    assert a[2:] == b[2:]


def keras_mlp(of: Any) -> Any:
    import keras

    units = [keras.layers.Dense(16), keras.layers.ReLU(), keras.layers.Dense(16), keras.layers.Activation("tanh")]
    built = keras.Sequential([keras.Input((12,)), *units, keras.layers.Dense(4)])
    weights = [w.detach().numpy() for w in of.parameters()]
    built.set_weights([w.T if w.ndim == 2 else w for w in weights])
    return built


NUMBERS = """units size mean std rms input_std zero_fraction dead_units saturated_fraction q01 q50 q99
    gradient_rms gradient_input_std kernel_rms kernel_gradient_rms gain strength step dead_in_all_calls
    forward backward"""


def assert_same_numbers(torch_table: pd.DataFrame, keras_table: pd.DataFrame) -> None:
    assert torch_table["kind"].tolist() == keras_table["kind"].tolist()
    assert torch_table["activation"].tolist() == keras_table["activation"].tolist()
    assert torch_table["on_trunk"].tolist() == keras_table["on_trunk"].tolist()
    assert torch_table["verdict"].tolist() == keras_table["verdict"].tolist()
    for name in NUMBERS.split():
        np.testing.assert_allclose(torch_table[name], keras_table[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("labels", [Y, None])
def test_mlp_has_the_table_of_its_keras_twin(labels: np.ndarray | None) -> None:
    ours = mlp()
    with torch.no_grad():
        ours[0].bias[:3] = -1000.0
    inspection = inspect(ours, X, labels)
    loss = None if labels is None else "sparse_categorical_crossentropy"
    expected = inspect(keras_mlp(ours), X, labels, loss=loss)
    assert_same_numbers(inspection.table, expected.table)
    assert inspection.table["dead_units"].tolist() == [0, 3, 0, 0, 0]
    assert inspection.table["parameters"].tolist() == expected.table["parameters"].tolist()
    renamed = dict(zip(expected.table["layer"], inspection.table["layer"], strict=True))
    messages = " ".join(finding.message for finding in expected.findings)
    for keras_name, name in sorted(renamed.items(), reverse=True):
        messages = messages.replace(keras_name, name)
    assert messages == " ".join(finding.message for finding in inspection.findings)


def test_cnn_has_the_table_of_its_keras_twin() -> None:
    import keras

    ours = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3), nn.GELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4),
    )  # fmt: skip
    ours.train()
    for _ in range(3):
        ours(torch.tensor(IMAGES))
    conv = keras.layers.Conv2D
    gelu = keras.layers.Activation("gelu")
    twin = keras.Sequential(
        [
            *(keras.Input((10, 10, 3)), conv(6, 3), keras.layers.BatchNormalization(epsilon=1e-5)),
            *(keras.layers.ReLU(), keras.layers.MaxPooling2D(2), conv(5, 3), gelu),
            *(keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4)),
        ]
    )
    kept = ours.state_dict()
    names = ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"]
    names += ["4.weight", "4.bias", "8.weight", "8.bias"]
    moved = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}
    twin.set_weights([kept[name].numpy().transpose(moved[kept[name].ndim]) for name in names])
    table = inspect(ours, IMAGES, Y[:40]).table
    expected = inspect(twin, IMAGES.transpose(0, 2, 3, 1), Y[:40], loss="sparse_categorical_crossentropy").table
    assert_same_numbers(table, expected)


def test_gradients_are_those_of_autograd() -> None:
    """The gradients of a kernel and of an activation, with in-place skip connections, are those of `autograd.grad`."""
    model = resnet().double().eval()
    table = inspect(model, IMAGES.astype(np.float64), Y[:40]).table.set_index("layer")
    images = torch.tensor(IMAGES, dtype=torch.float64)
    loss = functional.cross_entropy(model(images), torch.tensor(Y[:40]), reduction="sum")
    (weight,) = torch.autograd.grad(loss, model[2].conv1.weight)
    expected = weight.numpy() / 40
    assert table.loc["2.conv1", "kernel_gradient_rms"] == pytest.approx(float(np.sqrt((expected**2).mean())), rel=1e-5)
    first = model[1](model[0](images)).detach()
    rest = model[2:]
    moved = first.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(
        functional.cross_entropy(rest(moved.clone()), torch.tensor(Y[:40]), reduction="sum"), moved
    )
    assert table.loc["1", "gradient_rms"] == pytest.approx(float(gradient.square().mean().sqrt()), rel=1e-5)
    assert table.loc["1", "rms"] == pytest.approx(float(first.square().mean().sqrt()), rel=1e-6)


PLANTS = [
    (resnet, IMAGES, "2.bn1.bias", "2.relu"),
    (UNet, IMAGES, "bottom.bias", "relu (call 2)"),
    (transformer, SEQUENCES, "layers.1.linear1.bias", "layers.1.relu"),
    (mlp, X, "0.bias", "1"),
    (SequenceFirst, SEQUENCES, "attend.linear1.bias", "attend.relu"),
]


@pytest.mark.parametrize(("build", "x", "weight", "dead"), PLANTS)
def test_dead_layers_are_found_and_the_model_stays(build: Any, x: np.ndarray, weight: str, dead: str) -> None:
    model = build()
    named = dict(model.named_parameters())
    frozen = next(iter(named.values()))
    frozen.requires_grad_(requires_grad=False)
    untouched = inspect(model, x)
    assert "dead" not in untouched.table["verdict"].tolist()
    assert not [finding for finding in untouched.findings if finding.severity != "note"]
    with torch.no_grad():
        named[weight].fill_(-1000.0)
    model.train()
    before = state_of(model)
    inspection = inspect(model, torch.tensor(x))
    assert_same_state(before, state_of(model))
    assert inspection.table.loc[inspection.table["verdict"] == "dead", "layer"].tolist() == [dead]
    assert any(dead in finding.layers for finding in inspection.findings if finding.code.startswith("dead-"))
    assert weight.rpartition(".")[0] in next(
        finding.layers for finding in inspection.findings if finding.code == "no-gradient"
    )


def test_training_mode_draws_by_the_seed_and_puts_everything_back() -> None:
    model = nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 4)).eval()
    before = state_of(model)
    first, again, other = (inspect(model, X, Y, training=True, seed=seed).table for seed in (1, 1, 2))
    assert_same_state(before, state_of(model))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    assert first["rms"].iloc[1] == pytest.approx(1, abs=0.01)  # normalized by the batch, not by moving averages


def test_shared_modules_and_functions_without_modules() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.same, self.relu = nn.Linear(12, 12), nn.ReLU()

        def forward(self, x: Any) -> Any:
            return self.relu(self.same(self.relu(self.same(x))))

    table = inspect(Twice(), X).table
    assert table["layer"].tolist() == ["same", "relu", "same (call 2)", "relu (call 2)"]
    assert table["parameters"].tolist() == [156, 0, 0, 0]
    table = inspect(ByHand(), X, Y).table
    assert table["kind"].tolist() == ["weights", "activation", "output"]
    assert table["parameters"].tolist() == [96, 0, 32]
    assert table["activation"].tolist() == ["", "leaky_relu", ""]


def test_batches_mappings_losses_and_other_datasets() -> None:
    model = mlp()
    expected = inspect(model, X, Y).table
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = torch.utils.data.DataLoader(data, batch_size=17)
    for inspection in (
        inspect(model, loader),
        inspect(model, {"input": X}, Y),
        inspect(model, [torch.tensor(X, requires_grad=True)], torch.tensor(Y), loss=nn.CrossEntropyLoss()),
        inspect(model, X, Y, loss="cross_entropy", batch_size=10),
    ):
        pd.testing.assert_frame_equal(inspection.table, expected, rtol=1e-4)
    assert inspect(model, X, np.eye(4, dtype=np.float32)[Y]).gradient_of == "cross-entropy from logits"
    endless = ((X, Y) for _ in iter(int, 1))
    assert inspect(model, endless).inputs >= 10_000


@pytest.mark.parametrize(
    ("inputs", "labels", "options", "message"),
    [
        (X[:, :5], None, {}, "model: PyTorch cannot run it on these inputs"),
        (X, Y + 4, {}, "labels: received values from 4 to 7; expected: whole numbers from 0 to 3"),
        (X, Y[:5], {}, "labels: received 5 for 96 inputs"),
        (X, RNG.normal(size=(96, 3)), {}, "labels: received shape .*; expected for output 1"),
        (X, Y, {"loss": "no_loss"}, "loss: received 'no_loss'; expected: a function of torch.nn.functional"),
        (X, Y, {"loss": "softmax"}, "loss: received 'softmax', which does not take these labels"),
        (X, Y * np.nan, {}, "labels: received NaN, infinity or beyond float32"),
        ([], None, {}, "inputs: received an empty list"),
        ([[1.0], [1.0, 2.0]], None, {}, "inputs: received rows of several lengths"),
        (iter([{"text": ["a", "b"]}]), None, {}, "inputs: received"),
        (X, Y, {"loss": lambda p, y: p.sum()}, "expected: a loss of each input by itself"),
        (X, None, {"ignore": ["nonsense"]}, "ignore: received 'nonsense'; expected: codes of findings"),
        (X[:1], None, {}, "inputs: received 1; expected: 2 or more"),
    ],
)
def test_what_does_not_fit_is_named_and_leaves_no_hook(
    inputs: Any, labels: Any, options: dict[str, Any], message: str
) -> None:
    model = mlp().train()
    before = state_of(model)
    with pytest.raises(InputError, match=message):
        inspect(model, inputs, labels, **options)
    assert_same_state(before, state_of(model))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_models_that_cannot_be_heard_are_refused() -> None:
    with pytest.raises(InputError, match="model: received TorchScript"):
        inspect(torch.jit.script(mlp()), X)
    with pytest.raises(InputError, match=r"0\.weight without a shape; expected: call the model on"):
        inspect(nn.Sequential(nn.LazyLinear(4)), X)


class TokensAndMask(nn.Module):
    """A network that takes a boolean mask, and integers that are tokens although it has no nn.Embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Parameter(torch.randn(9, 6)), nn.Linear(6, 4)

    def forward(self, tokens: Any, mask: Any) -> Any:
        return self.out(functional.embedding(tokens, self.table).masked_fill(mask[..., None], 0).mean(1))


class Attention(nn.Module):
    """Attention with scores of -inf, the transpose of a parameter as weights, and LayerNorm over channels."""

    def __init__(self) -> None:
        super().__init__()
        self.key, self.norm, self.out = nn.Parameter(torch.randn(16, 16) / 4), nn.LayerNorm(16), nn.Linear(16, 4)
        self.register_buffer("mask", torch.triu(torch.full((6, 6), -torch.inf), 1))

    def forward(self, x: Any) -> Any:
        scores = x @ self.key.t() @ x.transpose(1, 2) / 4 + self.mask
        return self.out(self.norm(scores.softmax(-1) @ x)[:, -1])


class Fourier(nn.Module):
    """A network with complex weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.out = nn.Linear(12, 8), nn.Linear(8, 4)
        self.filter = nn.Parameter(torch.randn(8, dtype=torch.complex64))

    def forward(self, x: Any) -> Any:
        return self.out(torch.fft.ifft(torch.fft.fft(torch.relu(self.first(x))) * self.filter).real)


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.out = nn.Conv2d(3, 8, 3), nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        normalized = self.norm(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.out(functional.relu(normalized).mean((2, 3)))


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, z: Any) -> Any:
        context.save_for_backward(z)
        return z * torch.sigmoid(z)

    @staticmethod
    def backward(context: Any, gradient: Any) -> Any:
        (z,) = context.saved_tensors
        sigmoid = torch.sigmoid(z)
        return gradient * sigmoid * (1 + z * (1 - sigmoid))


class Custom(nn.Module):
    """A network with a custom function, a clamp that is a ReLU, and a subclass of Linear with a ReLU inside."""

    class LinearRelu(nn.Linear):
        def forward(self, x: Any) -> Any:
            return super().forward(x).relu()

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.out = nn.Linear(12, 8), self.LinearRelu(8, 8), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        return self.out(self.second(Swish.apply(self.first(x))).clamp(min=0))


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.out = nn.LSTMCell(16, 8), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        state = None
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return self.out(state[0])


class Experts(nn.Module):
    """A mixture of experts, in which the data decide the rows of each expert."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.experts = nn.Linear(12, 2), nn.ModuleList([nn.Linear(12, 8) for _ in range(2)])
        self.out = nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        chosen, y = self.gate(x).argmax(1), x.new_zeros(len(x), 8)
        for k, expert in enumerate(self.experts):
            y[chosen == k] = functional.relu(expert(x[chosen == k]))
        return self.out(y)


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.out = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        from torch.utils.checkpoint import checkpoint

        return self.out(checkpoint(self.inner, x, use_reentrant=False))


def hooked() -> Any:
    model = mlp()
    model[1].register_full_backward_hook(lambda module, grad_input, grad_output: None)
    return model


def normalized() -> Any:
    weight_norm = torch.nn.utils.parametrizations.weight_norm
    return nn.Sequential(weight_norm(nn.Linear(12, 8)), nn.ReLU(), weight_norm(nn.Linear(8, 4)))


TOKENS = {"tokens": RNG.integers(0, 9, (30, 5)), "mask": RNG.random((30, 5)) < 0.3}


@pytest.mark.parametrize(
    ("build", "x", "layers"),
    [
        (TokensAndMask, TOKENS, ["embedding", "out"]),
        (Attention, SEQUENCES, ["matmul", "softmax", "norm", "out"]),
        (Fourier, X, ["first", "relu", "out"]),
        (ChannelsLast, IMAGES, ["conv", "norm", "relu", "out"]),
        (Custom, X, ["first", "sigmoid", "mul", "second.linear", "second.relu", "relu", "out"]),
        (Cells, SEQUENCES, ["cell", *[f"cell (call {k})" for k in range(2, 7)], "out"]),
        (Experts, X, ["gate", "out"]),
        (Checkpointed, X, ["inner.0", "inner.1", "inner.2", "inner.3", "out"]),
        (hooked, X, ["0", "1", "2", "3", "4"]),
        (normalized, X, ["0", "1", "2"]),
        (SequenceFirst, SEQUENCES[:6], None),  # as many positions as inputs
    ],
)
def test_models_as_people_write_them(build: Any, x: Any, layers: list[str] | None) -> None:
    """Every layer has its row, no alarm is false, and the outputs are those of the model."""
    model = build().eval()
    before = state_of(model)
    inspection = inspect(model, x)
    assert_same_state(before, state_of(model))
    assert layers is None or inspection.table["layer"].tolist() == layers
    alarms = [finding.code for finding in inspection.findings if finding.severity != "note"]
    assert alarms == (["no-gradient"] if build is Experts else [])  # argmax passes no gradient to the gate
    arguments = {name: torch.tensor(array) for name, array in x.items()} if isinstance(x, dict) else {}
    with torch.no_grad():
        outputs = model(**arguments) if arguments else model(torch.tensor(x))
    assert inspection.table["rms"].iloc[-1] == pytest.approx(float(outputs.square().mean().sqrt()), rel=1e-5)
    assert inspection.table["strength"].iloc[-1] == pytest.approx(
        float(outputs.var(0, correction=0).mean().sqrt()), rel=1e-4
    )


def test_units_are_channels_also_behind_a_permutation() -> None:
    model = ChannelsLast()
    with torch.no_grad():
        model.norm.bias[:2] = -1000.0
    relu = inspect(model, IMAGES).table.set_index("layer").loc["relu"]
    assert (relu["units"], relu["dead_units"]) == (8, 2)


def test_clamps_and_child_classes_can_be_dead() -> None:
    model = Custom()
    with torch.no_grad():
        model.second.bias.fill_(-1000.0)
    inspection = inspect(model, X)
    assert "dead-network" in inspection.codes
    table = inspection.table.set_index("layer")
    assert table.loc["second.relu", "verdict"] == "dead"
    assert table.loc["relu", "activation"] == "relu"
    assert np.isnan(table.loc["sigmoid", "gradient_rms"])  # autograd does not go through what Swish does inside


def test_gradients_are_there_under_no_grad_too() -> None:
    model = mlp()
    expected = inspect(model, X, Y).table
    with torch.no_grad():
        pd.testing.assert_frame_equal(inspect(model, X, Y).table, expected)
    with torch.inference_mode():
        pd.testing.assert_frame_equal(inspect(model, X, Y).table, expected)


def test_what_a_model_does_to_itself_is_undone() -> None:
    import random

    class Writes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.same, self.calls, self.merged = nn.Linear(12, 4), 0, False
            self.register_buffer("average", torch.zeros(4))

        def train(self, mode: bool = True) -> Any:
            self.merged = not mode
            return super().train(mode)

        def forward(self, x: Any) -> Any:
            self.calls += 1
            self.same.weight.data = torch.renorm(self.same.weight.data, 2, 0, 0.5)
            y = self.same(x) * (1 + random.random() * np.random.random())  # noqa: NPY002
            self.average = 0.9 * self.average + 0.1 * y.mean(0).detach()
            return y

    model = Writes()
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    drawn = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    inspect(model, X, training=True)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in kept.items())
    assert (model.calls, model.merged, model.training) == (0, False, True)
    assert drawn == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002


def test_log_of_a_training_loop(capsys: pytest.CaptureFixture[str]) -> None:
    model = mlp()
    log = DeadUnitLog(X, Y)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for epoch in range(3):
        if epoch == 2:
            with torch.no_grad():
                model[0].bias.fill_(-1000.0)
        optimizer.zero_grad()
        functional.cross_entropy(model(torch.tensor(X)), torch.tensor(Y)).backward()
        gradients = [w.grad.clone() for w in model.parameters()]
        look = log.add(model)
        assert all(torch.equal(a, w.grad) for a, w in zip(gradients, model.parameters(), strict=True))
        optimizer.step()
    assert look["dead_units"] == 16
    assert [finding.code for finding in look.findings if finding.severity == "error"] == ["dead-network"]
    assert log.units["layer"].tolist() == ["1"] * 16
    assert log.units["unit"].tolist() == list(range(16))
    assert log.units["since"].tolist() == [3] * 16
    assert log.table["epoch"].tolist() == [1, 1, 2, 2, 3, 3]
    assert capsys.readouterr().err.strip().endswith("epoch 3: layer 1 is dead: no unit passes a gradient")
    assert len(log.figure().axes) == 2


def test_pytorch_is_looked_at_without_tensorflow() -> None:
    import subprocess

    code = "import sys, torch, numpy as np; from deadrelu import inspect; from deadrelu.watch import DeadUnitLog; "
    code += (
        "m = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()); x = np.eye(3, dtype='f4'); inspect(m, x); "
    )
    code += "DeadUnitLog(x).add(m); print([n for n in ('tensorflow', 'keras') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
