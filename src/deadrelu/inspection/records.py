"""Records of layers, outputs and weights, the same for both frameworks, and recorders of signals."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32] | npt.NDArray[np.float64]

CHUNK_ROWS = 1000
"""Number of rows that are processed at once: a mapped file may be larger than the memory."""

Kind = Literal["weights", "normalization", "activation", "merge", "block", "output"]
"""A block is a composite layer that computes its own output from those of its layers, such as `x + dense(x)`."""

Trait = Literal["recurrent", "any scale", "small by design", "tokens", "trained slopes"]
"""Facts about a class of layers. Recurrent: it runs a cell over time steps. Any scale: it takes inputs of any scale.
Small by design: its defaults multiply the signal by less than others do. Tokens: its inputs are indices. Trained
slopes: training can bring its dead units back."""

ONE_SOURCE = ("weights", "activation", "output")
"""Kinds of layers whose signal comes from one tensor."""


@dataclass(frozen=True, eq=False)
class LayerRecord:
    """One call of one layer; a shared layer has a record for each of its calls."""

    name: str
    """Path of the layer, such as 'encoder/dense'."""
    layer_class: str
    kind: Kind
    activation: str | None
    """The usual name of its nonlinearity, such as 'relu'; None for a linear layer."""
    traits: frozenset[Trait]
    shape: tuple[int, ...]
    """Shape of its output for one input; the last axis counts units."""
    weights: tuple[Hashable, ...]
    """Keys of its own weights, see `WeightRecord`."""
    on_trunk: bool
    """True if every path from the input to the output goes through it."""
    on_each_trunk: bool
    """True if it is on the trunk to each output: elsewhere, the gradients of some outputs are missing."""
    shares: Hashable
    """A key that is the same for calls that share units."""
    scale: float = 1.0
    """Factor, as in `x * 0.1`, between the output of the previous layer and the input of this one."""
    given_by: int | None = None
    """Index of the record whose unchanged output is its input; None if that is another tensor, such as a pooled one."""
    number: int = 0
    """Number of the call, counted from 0 for the first call of the layer."""

    @property
    def units(self) -> int:
        """Length of the last axis of the output."""
        return self.shape[-1] if self.shape else 1

    @property
    def size(self) -> int:
        """Count of numbers in the output for one input."""
        return int(np.prod(self.shape))


class Output(NamedTuple):
    """Name, activation and shape of one output of a model."""

    name: str
    activation: str | None
    """Activation of the layer that made it, or of the one before a layer that only moves numbers, such as Reshape."""
    shape: tuple[int, ...]
    """Shape for one input; the last axis counts units."""


@dataclass(frozen=True)
class WeightRecord:
    """The numbers of one weight and of its gradient, which is the mean over inputs."""

    key: Hashable
    """A key that is unique among the weights of a model."""
    layer: str
    name: str
    """A readable name, such as 'dense_1 (kernel)'."""
    shape: tuple[int, ...]
    trainable: bool
    is_kernel: bool
    """True if it has two or more axes and is no bias, or if it scales a normalized signal."""
    rms: float
    """Root mean square of the weight: 0 if the weight is all 0."""
    gradient_rms: float
    """Root mean square of the gradient: 0 if the gradient is exactly 0."""
    is_finite: bool
    is_regularized: bool = False
    """True if a regularizer changes it, whatever its gradient."""

    @property
    def size(self) -> int:
        """Count of numbers in the weight."""
        return int(np.prod(self.shape))


class Recorder(Protocol):
    """A collector of the signals of layers, which takes them as they appear and keeps no more than it needs."""

    def forward(self, k: int, signal: Array, *, source: Array | None = None, logits: Array | None = None) -> None:
        """Take the output of layer k for some inputs, shape (n, …, units).

        Args:
            k: index of the layer's record.
            signal: output of the layer.
            source: input of the layer, if that is one tensor and not the output of the layer `given_by`.
            logits: input of its activation, if the layer is an output of the model.
        """

    def slopes(self, k: int, largest: npt.NDArray[np.float64]) -> None:
        """Take the largest slope of the activation of layer k over inputs and positions, shape (units,).

        It is not called for layers whose units cannot be dead.
        """

    def backward(self, k: int, gradient: Array) -> None:
        """Take the gradient of the objective with respect to the output of layer k; it has the shape of the output."""


class Parts:
    """An adapter of a recorder, for which it joins the tensors of a layer with several, such as two states.

    Args:
        recorder: recorder of the joined signals.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.shapes: dict[int, list[tuple[int, ...]]] = {}
        self.gradients: dict[int, dict[int, Array]] = {}

    def forward(self, k: int, signals: Sequence[Array], **more: Array | None) -> None:
        """Take the output tensors of layer k, see `Recorder.forward`."""
        if len(signals) > 1:
            self.shapes[k] = [signal.shape for signal in signals]
        self.recorder.forward(k, _side_by_side(signals), **more)

    def backward(self, k: int, part: int, gradient: Array) -> None:
        """Take the gradient of one output tensor of layer k, see `Recorder.backward`."""
        if k not in self.shapes:
            self.recorder.backward(k, gradient)
            return
        self.gradients.setdefault(k, {})[part] = gradient
        if len(self.gradients[k]) == len(self.shapes[k]):
            self._hand_on(k)

    def end_batch(self) -> None:
        """Count missing gradients as 0 in layers that have some gradient."""
        for k in list(self.gradients):
            self._hand_on(k)
        self.shapes.clear()

    def _hand_on(self, k: int) -> None:
        came = self.gradients.pop(k)
        empty = (np.zeros(shape, np.float32) for shape in self.shapes[k])
        self.recorder.backward(k, _side_by_side([came.get(part, zeros) for part, zeros in enumerate(empty)]))


def _side_by_side(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
