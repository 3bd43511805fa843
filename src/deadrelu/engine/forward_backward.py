"""What a network computes, learns from and becomes: forward pass, backward pass, optimizer, an epoch of training.

All numbers of a kind lie in one flat array: `weights[k]` is weight k of each trial, `signals[u]` the output of unit u.
Weights come in the order of Keras's `get_weights`: kernel by kernel in C order, each followed by its biases. Units are
counted from the first input to the last output. Every sum has the order in which it stands here: so every result has
the same bits, whoever computes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deadrelu.engine.activations import activate, through
from deadrelu.engine.network import Adam, Architecture, Training
from deadrelu.engine.operations import Operations

SMALLEST = 2.0**-149
"""The smallest float32 above 0: what is below it is 0. NaN is not."""


@dataclass(frozen=True)
class Layer:
    """Sizes of a layer, and where its numbers begin: its kernel, its biases, the units that it reads and writes."""

    fan_in: Any
    fan_out: Any
    kernel: Any
    bias: Any
    inputs: Any
    outputs: Any

    def weight(self, i: Any, j: Any) -> Any:
        """Which weight leads from input i to unit j."""
        return self.kernel + i * self.fan_out + j


def layers_of(architecture: Architecture) -> Iterator[Layer]:
    """The layers of a network, the linear output last."""
    weight = unit = 0
    for fan_in, fan_out in architecture.layers:
        bias = weight + fan_in * fan_out
        yield Layer(fan_in, fan_out, weight, bias, unit, unit + fan_in)
        weight, unit = bias + architecture.biases * fan_out, unit + fan_in


@dataclass(frozen=True)
class Layers:
    """Those of a network, in three parts; `between` does body(layer) for those from the second to the last but one."""

    first: Layer
    between: Any
    last: Layer


@dataclass(frozen=True)
class Units:
    """Of each unit: what comes into its activation, what comes out, and the gradient of the loss by the former."""

    preactivations: Any
    signals: Any
    deltas: Any


@dataclass(frozen=True)
class State:
    """What training changes, each of shape (n_weights, trials): weights, sums of gradients, Adam's two moments."""

    weights: Any
    gradient: Any
    mean: Any = None
    square: Any = None


def hidden(ops: Operations, architecture: Architecture, layers: Layers, weights: Any, units: Units) -> None:
    """The forward pass through the hidden layers, from the signals of the input units on."""

    def forward(layer: Layer) -> None:
        def unit(j: Any) -> None:
            z = _preactivation(ops, architecture, layer, weights, units, j)
            units.preactivations[layer.outputs + j] = z
            units.signals[layer.outputs + j] = activate(ops, architecture, z)

        ops.each(layer.fan_out, unit)

    if layers.first is not layers.last:  # else there is no hidden layer
        forward(layers.first)
        layers.between(forward)


def outputs(ops: Operations, architecture: Architecture, layers: Layers, weights: Any, units: Units) -> None:
    """The whole forward pass: the outputs are the preactivations of the last layer."""

    def unit(j: Any) -> None:
        z = _preactivation(ops, architecture, layers.last, weights, units, j)
        units.preactivations[layers.last.outputs + j] = z

    hidden(ops, architecture, layers, weights, units)
    ops.each(layers.last.fan_out, unit)


def _preactivation(
    ops: Operations, architecture: Architecture, layer: Layer, weights: Any, units: Units, j: Any
) -> Any:
    z = ops.total(layer.fan_in, lambda i: weights[layer.weight(i, j)] * units.signals[layer.inputs + i])
    return z + weights[layer.bias + j] if architecture.biases else z


def add_gradient(ops: Operations, architecture: Architecture, layers: Layers, state: State, units: Units) -> None:
    """The backward pass: from the deltas of the last layer to the gradient by each weight, added to the sums."""

    def by_weights(layer: Layer) -> None:
        def of_unit(j: Any) -> None:
            delta = units.deltas[layer.outputs + j]

            def of_weight(i: Any) -> None:
                k = layer.weight(i, j)
                state.gradient[k] = ops.accumulate(state.gradient[k], units.signals[layer.inputs + i] * delta)

            ops.repeat(0, layer.fan_in, of_weight)
            if architecture.biases:
                state.gradient[layer.bias + j] = ops.accumulate(state.gradient[layer.bias + j], delta)

        ops.each(layer.fan_out, of_unit)

    def by_inputs(layer: Layer) -> None:
        def of_input(i: Any) -> None:
            gradient = ops.total(
                layer.fan_out, lambda j: state.weights[layer.weight(i, j)] * units.deltas[layer.outputs + j]
            )
            u = layer.inputs + i
            units.deltas[u] = through(ops, architecture, units.preactivations[u], units.signals[u], gradient)

        ops.each(layer.fan_in, of_input)

    def backward(layer: Layer) -> None:
        by_weights(layer)
        by_inputs(layer)

    if layers.first is not layers.last:
        backward(layers.last)
        layers.between(backward, backwards=True)
    by_weights(layers.first)


def loss_and_deltas(
    ops: Operations, architecture: Architecture, training: Training, layer: Layer, units: Units, point: Any
) -> Any:
    """The loss at a point, a mean over the outputs; its gradient by each output goes to the deltas."""
    n = float(architecture.sizes[-1])

    def error(j: Any) -> Any:
        return units.preactivations[layer.outputs + j] - point.target(j)

    def delta(j: Any) -> None:
        slope = error(j) * 2.0 if training.loss == "mean_squared_error" else _sign(ops, error(j))
        units.deltas[layer.outputs + j] = slope / n

    def term(j: Any) -> Any:
        return error(j) * error(j) if training.loss == "mean_squared_error" else _size(ops, error(j))

    ops.each(layer.fan_out, delta)
    return ops.total(layer.fan_out, term) / n


def _size(ops: Operations, x: Any) -> Any:
    return ops.select(x < 0.0, -x, x)


def _sign(ops: Operations, x: Any) -> Any:
    return ops.select(x > 0.0, 1.0, ops.select(x < 0.0, -1.0, x))  # x: 0 or NaN


def epoch(
    ops: Operations,
    architecture: Architecture,
    training: Training,
    layers: Layers,
    state: State,
    units: Units,
    plan: Any,
) -> None:
    """Train through some batches of points.

    Args:
        ops: what computes.
        architecture, layers: of the networks.
        training: names the loss and the optimizer.
        state: is changed.
        units: scratch.
        plan: the batches `plan.first` to `plan.end` - 1. `plan.batch(b)` has positions `first` and `end`, their number
            `size`, and the `rate` of the optimizer; `plan.point(p)` has inputs and targets; `plan.loss[0]` takes the
            sum of the losses.
    """

    def step(b: Any) -> None:
        batch = plan.batch(b)

        def clear(k: Any) -> None:
            state.gradient[k] = 0.0

        def learn(p: Any) -> None:
            point = plan.point(p)
            read(ops, layers, units, point)
            outputs(ops, architecture, layers, state.weights, units)
            loss = loss_and_deltas(ops, architecture, training, layers.last, units, point)
            plan.loss[0] = ops.accumulate(plan.loss[0], loss)
            add_gradient(ops, architecture, layers, state, units)

        def update(k: Any) -> None:
            move(ops, training, state, k, state.gradient[k] / batch.size, batch.rate)

        ops.repeat(0, plan.n_weights, clear)
        ops.points(batch.first, batch.end, learn)
        ops.repeat(0, plan.n_weights, update)

    ops.repeat(plan.first, plan.end, step)


def read(ops: Operations, layers: Layers, units: Units, point: Any) -> None:
    """Let the signals of the input units be those of a point."""

    def signal(i: Any) -> None:
        units.signals[layers.first.inputs + i] = point.input(i)

    ops.each(layers.first.fan_in, signal)


def move(ops: Operations, training: Training, state: State, k: Any, gradient: Any, rate: Any) -> None:
    """A step of the optimizer, in the arithmetic of Keras."""
    optimizer = training.optimizer
    if isinstance(optimizer, Adam):
        state.mean[k] = state.mean[k] + (gradient - state.mean[k]) * (1 - optimizer.beta_1)
        state.square[k] = state.square[k] + (gradient * gradient - state.square[k]) * (1 - optimizer.beta_2)
        step = state.mean[k] * rate / (ops.sqrt(state.square[k]) + optimizer.epsilon)
    else:
        step = gradient * rate
    state.weights[k] = state.weights[k] - step


def predict(ops: Operations, architecture: Architecture, layers: Layers, weights: Any, units: Units, plan: Any) -> None:
    """Outputs at the points `plan.first` to `plan.end` - 1: the point takes each by `point.put(j, output)`."""

    def visit(p: Any) -> None:
        point = plan.point(p)
        read(ops, layers, units, point)
        outputs(ops, architecture, layers, weights, units)
        ops.each(layers.last.fan_out, lambda j: point.put(j, units.preactivations[layers.last.outputs + j]))

    ops.points(plan.first, plan.end, visit)


def awake(ops: Operations, architecture: Architecture, layers: Layers, weights: Any, units: Units, plan: Any) -> None:
    """Count in `plan.awake[0]` how often a unit of the last hidden layer is not 0; with ReLU, it is never below."""

    def visit(p: Any) -> None:
        read(ops, layers, units, plan.point(p))
        hidden(ops, architecture, layers, weights, units)

        def count(i: Any) -> None:
            signal = units.signals[layers.last.inputs + i]
            plan.awake[0] = ops.accumulate(plan.awake[0], ops.select(signal < SMALLEST, 0.0, 1.0))

        ops.repeat(0, layers.last.fan_in, count)

    ops.points(plan.first, plan.end, visit)
