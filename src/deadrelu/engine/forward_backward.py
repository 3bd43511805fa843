"""The arithmetic of a network: forward pass, backward pass, optimizer, and an epoch of training.

Each quantity is one flat array: `weights[k]` is weight k of each trial, `signals[u]` is the output of unit u. Weights
are in the order of Keras's `get_weights`: kernel by kernel in C order, each followed by its biases. Units are numbered
from the first input to the last output. Every sum is evaluated in the order of this code, so that results have the same
bits with every implementation of `Operations`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from deadrelu.engine.activations import activate, through
from deadrelu.engine.network import Adam, Architecture, Training
from deadrelu.engine.operations import Operations

SMALLEST = 2.0**-149
"""The smallest float32 above 0: a non-negative number below it is 0, and NaN is not below it."""


@dataclass(frozen=True)
class Layer:
    """Numbers of inputs and units of a layer, and the indices of its first weight, bias, input unit and output unit."""

    fan_in: Any
    fan_out: Any
    kernel: Any
    bias: Any
    inputs: Any
    outputs: Any

    def weight(self, i: Any, j: Any) -> Any:
        """Return the index of the weight from input i to unit j."""
        return self.kernel + i * self.fan_out + j


def layers_of(architecture: Architecture) -> Iterator[Layer]:
    """Yield the layers of a network from input to output; the last one is the linear output layer."""
    weight = unit = 0
    for fan_in, fan_out in architecture.layers:
        bias = weight + fan_in * fan_out
        yield Layer(fan_in, fan_out, weight, bias, unit, unit + fan_in)
        weight, unit = bias + architecture.biases * fan_out, unit + fan_in


@dataclass(frozen=True)
class Layers:
    """The layers of a network; `between(body, backwards=False)` calls body(layer) for the others, forwards or back."""

    first: Layer
    between: Any
    last: Layer


@dataclass(frozen=True)
class Units:
    """Flat arrays with, for each unit, its preactivation z, output (signal) and dL/dz (delta); L is a point's loss."""

    preactivations: Any
    signals: Any
    deltas: Any


@dataclass(frozen=True)
class State:
    """Arrays that training updates, each (n_weights, trials): weights, a batch's sum of gradients, Adam's moments."""

    weights: Any
    gradient: Any
    mean: Any = None
    square: Any = None


class Plan(Protocol):
    """The work of a program, batches (in training) or points from `first` to `end` - 1, and arrays for its results.

    A batch has its first point `first`, its last point `end` - 1, its `size`, its learning rate `rate` and its `epoch`.
    A point returns `input(i)` and `target(j)`, and stores output j by `put(j, output)`. Losses of points are added to
    `loss[epoch]`, and numbers of active units (`count_active`) to `active[0]`. A network has `n_weights` weights.
    """

    first: Any
    end: Any
    n_weights: Any
    loss: Any
    active: Any

    def batch(self, b: Any) -> Any:
        """Return batch b, an object with the attributes that `Plan` lists."""

    def point(self, p: Any) -> Any:
        """Return the point at position p."""


def hidden(ops: Operations, architecture: Architecture, layers: Layers, weights: Any, units: Units) -> None:
    """Compute the forward pass from the input signals in `units` through the hidden layers, and store it in `units`."""

    def forward(layer: Layer) -> None:
        def unit(j: Any) -> None:
            z = _preactivation(ops, architecture, layer, weights, units, j)
            units.preactivations[layer.outputs + j] = z
            units.signals[layer.outputs + j] = activate(ops, architecture, z)

        ops.each(layer.fan_out, unit)

    if layers.first is not layers.last:  # otherwise there is no hidden layer
        forward(layers.first)
        layers.between(forward)


def outputs(ops: Operations, architecture: Architecture, layers: Layers, weights: Any, units: Units) -> None:
    """Compute the forward pass through all layers; the preactivations of the last layer are the network's outputs."""

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
    """Compute the backward pass from the last layer's deltas, and add dL/d(weight) of a point to `state.gradient`."""

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
    """Return a point's loss L (a mean over outputs), and store dL/d(output) as the deltas of the last `layer`."""
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
    return ops.select(x > 0.0, 1.0, ops.select(x < 0.0, -1.0, x))  # here x is 0 or NaN


def epoch(
    ops: Operations,
    architecture: Architecture,
    training: Training,
    layers: Layers,
    state: State,
    units: Units,
    plan: Plan,
) -> None:
    """Train through some batches of points.

    Args:
        ops: implementation of the arithmetic operations.
        architecture, layers: architecture and layers of the networks.
        training: settings that name the loss and the optimizer.
        state: weights and optimizer state, updated in place.
        units: scratch memory for the units.
        plan: batches to train on; losses are added to `plan.loss`.
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
            plan.loss[batch.epoch] = ops.accumulate(plan.loss[batch.epoch], loss)
            add_gradient(ops, architecture, layers, state, units)

        def update(k: Any) -> None:
            move(ops, training, state, k, state.gradient[k] / batch.size, batch.rate)

        ops.repeat(0, plan.n_weights, clear)
        ops.points(batch.first, batch.end, learn)
        ops.repeat(0, plan.n_weights, update)

    ops.repeat(plan.first, plan.end, step)


def read(ops: Operations, layers: Layers, units: Units, point: Any) -> None:
    """Set the signals of the input units to the inputs of a point."""

    def signal(i: Any) -> None:
        units.signals[layers.first.inputs + i] = point.input(i)

    ops.each(layers.first.fan_in, signal)


def move(ops: Operations, training: Training, state: State, k: Any, gradient: Any, rate: Any) -> None:
    """Update weight k by a step as in Keras, from its mean `gradient` over a batch; Adam's `rate` is bias-corrected."""
    optimizer = training.optimizer
    if isinstance(optimizer, Adam):
        state.mean[k] = state.mean[k] + (gradient - state.mean[k]) * (1 - optimizer.beta_1)
        state.square[k] = state.square[k] + (gradient * gradient - state.square[k]) * (1 - optimizer.beta_2)
        step = state.mean[k] * rate / (ops.sqrt(state.square[k]) + optimizer.epsilon)
    else:
        step = gradient * rate
    state.weights[k] = state.weights[k] - step


def predict(
    ops: Operations, architecture: Architecture, layers: Layers, weights: Any, units: Units, plan: Plan
) -> None:
    """Compute the outputs at points `plan.first` to `plan.end` - 1, and store output j by `point.put(j, output)`."""

    def visit(p: Any) -> None:
        point = plan.point(p)
        read(ops, layers, units, point)
        outputs(ops, architecture, layers, weights, units)
        ops.each(layers.last.fan_out, lambda j: point.put(j, units.preactivations[layers.last.outputs + j]))

    ops.points(plan.first, plan.end, visit)


def count_active(
    ops: Operations, architecture: Architecture, layers: Layers, weights: Any, units: Units, plan: Plan
) -> None:
    """Add to `plan.active[0]` how many outputs of the last hidden (ReLU) layer are not 0, over all points of `plan`."""

    def visit(p: Any) -> None:
        read(ops, layers, units, plan.point(p))
        hidden(ops, architecture, layers, weights, units)

        def count(i: Any) -> None:
            signal = units.signals[layers.last.inputs + i]
            plan.active[0] = ops.accumulate(plan.active[0], ops.select(signal < SMALLEST, 0.0, 1.0))

        ops.repeat(0, layers.last.fan_in, count)

    ops.points(plan.first, plan.end, visit)
