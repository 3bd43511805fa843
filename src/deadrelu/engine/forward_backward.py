"""The arithmetic of a network: forward pass, backward pass, optimizer, and the training on some batches.

Each quantity is one flat array: `weights[k]` is weight k of each trial, `signals[u]` is the output of unit u. Weights
are in the order of Keras's `get_weights`: kernel by kernel in C order, each followed by its biases. Units are numbered
from the first input to the last output. Every sum is evaluated in the order of this code, so that results have the same
bits with every implementation of `Operations`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from deadrelu.engine.activations import activate, through
from deadrelu.engine.network import Adam, Network, Training
from deadrelu.engine.operations import Operations

SMALLEST = 2.0**-149  # the smallest float32 above 0: a non-negative number below it is 0, and NaN is not below it


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


def layers_of(sizes: Sequence[int], biases: bool) -> Iterator[Layer]:
    """Yield the layers of a network with given `Network.sizes`, from input to output; the last one is linear."""
    weight = unit = 0
    for fan_in, fan_out in pairwise(sizes):
        bias = weight + fan_in * fan_out
        yield Layer(fan_in, fan_out, weight, bias, unit, unit + fan_in)
        weight, unit = bias + biases * fan_out, unit + fan_in


class Plan:
    """The work of a program, batches (in training) or points from `first` to `end` - 1, and the arrays that it uses.

    A batch has its first point `first`, its last point `end` - 1, its `size`, its learning rate `rate` and its `epoch`.
    A point returns `input(i)` and `target(j)`, and stores output j by `put(j, output)`. Arrays have an entry for each
    weight or unit, which stands for all trials. Training updates the weights, the `gradient` (its sum over a batch) and
    Adam's moments `mean` and `square`, and adds losses of points to `loss[epoch]`. For each unit, there is its
    preactivation z, its output (signal) and dL/dz (delta); L is the loss of a point. Numbers of active units are added
    to `active[0]`. A network has `n_weights` weights.
    """

    first_layer: Layer
    last_layer: Layer
    first: Any
    end: Any
    n_weights: Any
    weights: Any
    gradient: Any
    mean: Any
    square: Any
    preactivations: Any
    signals: Any
    deltas: Any
    loss: Any
    active: Any

    def between(self, body: Callable[[Layer], None], *, backwards: bool = False) -> None:
        """Call body(layer) for the layers between the first and the last one, forwards or backwards."""
        raise NotImplementedError

    def batch(self, b: Any) -> Any:
        """Return batch b, an object with the attributes that `Plan` lists."""
        raise NotImplementedError

    def point(self, p: Any) -> Any:
        """Return the point at position p."""
        raise NotImplementedError


class Arithmetic:
    """The programs of the networks that one `Network` describes: `train`, `predict` and `count_active`.

    Args:
        ops: implementation of the arithmetic operations.
        network: description of the networks.
        plan: layers, arrays, and the batches or points of the program.
    """

    def __init__(self, ops: Operations, network: Network, plan: Plan) -> None:
        self.ops, self.network, self.plan = ops, network, plan

    def train(self, training: Training) -> None:
        """Train on the batches of the plan, with the loss and the optimizer of `training`."""
        ops, plan = self.ops, self.plan

        def step(b: Any) -> None:
            batch = plan.batch(b)

            def clear(k: Any) -> None:
                plan.gradient[k] = 0.0

            def learn(p: Any) -> None:
                point = plan.point(p)
                self._read(point)
                self._outputs()
                loss = self._loss_and_deltas(training, point)
                plan.loss[batch.epoch] = ops.accumulate(plan.loss[batch.epoch], loss)
                self._add_gradient()

            def update(k: Any) -> None:
                self._move(training, k, plan.gradient[k] / batch.size, batch.rate)

            ops.repeat(0, plan.n_weights, clear)
            ops.points(batch.first, batch.end, learn)
            ops.repeat(0, plan.n_weights, update)

        ops.repeat(plan.first, plan.end, step)

    def predict(self) -> None:
        """Compute the outputs at the points of the plan, and store output j by `point.put(j, output)`."""
        last = self.plan.last_layer

        def visit(p: Any) -> None:
            point = self.plan.point(p)
            self._read(point)
            self._outputs()
            self.ops.each(last.fan_out, lambda j: point.put(j, self.plan.preactivations[last.outputs + j]))

        self.ops.points(self.plan.first, self.plan.end, visit)

    def count_active(self) -> None:
        """Add to `active[0]` how many outputs of the last hidden (ReLU) layer are not 0, over all points."""
        ops, plan, last = self.ops, self.plan, self.plan.last_layer

        def visit(p: Any) -> None:
            self._read(plan.point(p))
            self._hidden()

            def count(i: Any) -> None:
                is_active = ops.select(plan.signals[last.inputs + i] < SMALLEST, 0.0, 1.0)
                plan.active[0] = ops.accumulate(plan.active[0], is_active)

            ops.repeat(0, last.fan_in, count)

        ops.points(plan.first, plan.end, visit)

    def _read(self, point: Any) -> None:
        """Set the signals of the input units to the inputs of a point."""
        first = self.plan.first_layer

        def signal(i: Any) -> None:
            self.plan.signals[first.inputs + i] = point.input(i)

        self.ops.each(first.fan_in, signal)

    def _hidden(self) -> None:
        """Compute the forward pass from the signals of the input units through the hidden layers."""
        plan = self.plan

        def forward(layer: Layer) -> None:
            def unit(j: Any) -> None:
                z = self._preactivation(layer, j)
                plan.preactivations[layer.outputs + j] = z
                plan.signals[layer.outputs + j] = activate(self.ops, self.network, z)

            self.ops.each(layer.fan_out, unit)

        if plan.first_layer is not plan.last_layer:  # otherwise there is no hidden layer
            forward(plan.first_layer)
            plan.between(forward)

    def _outputs(self) -> None:
        """Compute the forward pass through all layers; preactivations of the last layer are the network's outputs."""
        last = self.plan.last_layer

        def unit(j: Any) -> None:
            self.plan.preactivations[last.outputs + j] = self._preactivation(last, j)

        self._hidden()
        self.ops.each(last.fan_out, unit)

    def _preactivation(self, layer: Layer, j: Any) -> Any:
        weights, signals = self.plan.weights, self.plan.signals
        z = self.ops.total(layer.fan_in, lambda i: weights[layer.weight(i, j)] * signals[layer.inputs + i])
        return z + weights[layer.bias + j] if self.network.biases else z

    def _loss_and_deltas(self, training: Training, point: Any) -> Any:
        """Return a point's loss L (a mean over outputs), and store dL/d(output) as the deltas of the last layer."""
        ops, plan, last, n = self.ops, self.plan, self.plan.last_layer, float(self.network.outputs)
        squared = training.loss == "mean_squared_error"

        def error(j: Any) -> Any:
            return plan.preactivations[last.outputs + j] - point.target(j)

        def delta(j: Any) -> None:
            slope = error(j) * 2.0 if squared else _sign(ops, error(j))
            plan.deltas[last.outputs + j] = slope / n

        def term(j: Any) -> Any:
            return error(j) * error(j) if squared else _size(ops, error(j))

        ops.each(last.fan_out, delta)
        return ops.total(last.fan_out, term) / n

    def _add_gradient(self) -> None:
        """Compute the backward pass from the last layer's deltas, and add dL/d(weight) of a point to the gradient."""
        ops, plan = self.ops, self.plan

        def by_weights(layer: Layer) -> None:
            def of_unit(j: Any) -> None:
                delta = plan.deltas[layer.outputs + j]

                def of_weight(i: Any) -> None:
                    k = layer.weight(i, j)
                    plan.gradient[k] = ops.accumulate(plan.gradient[k], plan.signals[layer.inputs + i] * delta)

                ops.repeat(0, layer.fan_in, of_weight)
                if self.network.biases:
                    plan.gradient[layer.bias + j] = ops.accumulate(plan.gradient[layer.bias + j], delta)

            ops.each(layer.fan_out, of_unit)

        def by_inputs(layer: Layer) -> None:
            def of_input(i: Any) -> None:
                gradient = ops.total(
                    layer.fan_out, lambda j: plan.weights[layer.weight(i, j)] * plan.deltas[layer.outputs + j]
                )
                u = layer.inputs + i
                plan.deltas[u] = through(ops, self.network, plan.preactivations[u], plan.signals[u], gradient)

            ops.each(layer.fan_in, of_input)

        def backward(layer: Layer) -> None:
            by_weights(layer)
            by_inputs(layer)

        if plan.first_layer is not plan.last_layer:
            backward(plan.last_layer)
            plan.between(backward, backwards=True)
        by_weights(plan.first_layer)

    def _move(self, training: Training, k: Any, gradient: Any, rate: Any) -> None:
        """Update weight k as in Keras, from its mean `gradient` over a batch; Adam's `rate` is bias-corrected."""
        plan, optimizer = self.plan, training.optimizer
        if isinstance(optimizer, Adam):
            plan.mean[k] = plan.mean[k] + (gradient - plan.mean[k]) * (1 - optimizer.beta_1)
            plan.square[k] = plan.square[k] + (gradient * gradient - plan.square[k]) * (1 - optimizer.beta_2)
            step = plan.mean[k] * rate / (self.ops.sqrt(plan.square[k]) + optimizer.epsilon)
        else:
            step = gradient * rate
        plan.weights[k] = plan.weights[k] - step


def _size(ops: Operations, x: Any) -> Any:
    return ops.select(x < 0.0, -x, x)


def _sign(ops: Operations, x: Any) -> Any:
    return ops.select(x > 0.0, 1.0, ops.select(x < 0.0, -1.0, x))  # here x is 0 or NaN
