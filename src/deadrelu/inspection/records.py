"""Records of layers, outputs and weights, the same for both frameworks, and recorders of signals."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32] | npt.NDArray[np.float64]

CHUNK_ROWS = 1000
"""Number of rows of an input array that are in memory together: a mapped file may be larger than the memory."""

Kind = Literal["weights", "normalization", "activation", "merge", "block", "output"]
"""Kinds of layers. A block is a composite layer that combines the outputs of its inner layers, as in `x + dense(x)`."""

Trait = Literal["recurrent", "any scale", "small by design", "tokens", "trained slopes"]
"""Properties of a layer that the verdicts take into account. Recurrent: it runs a cell over time steps. Any scale: it
takes inputs of any scale. Small by design: its defaults multiply the signal by less than those of other layers.
Tokens: its inputs are indices. Trained slopes: training can revive its dead units."""

ONE_SOURCE = ("weights", "activation", "output")
"""Kinds of layers whose output is computed from one input tensor."""


@dataclass(frozen=True, eq=False)
class LayerRecord:
    """A description of one call of one layer; a shared layer has a record for each of its calls."""

    name: str
    """Path of the layer, such as 'encoder/dense'."""
    layer_class: str
    kind: Kind
    activation: str | None
    """The usual name of its nonlinearity, such as 'relu'; None for a linear layer."""
    traits: frozenset[Trait]
    shape: tuple[int, ...]
    """Shape of its output for one input; the last axis is that of the units."""
    weights: tuple[Hashable, ...]
    """Keys of its own weights, without those of inner layers, see `WeightRecord.key`."""
    on_trunk: bool
    """True if it is on the trunk: every path from the input to the output goes through it, see `paths`."""
    on_each_trunk: bool
    """True if it is on the trunk to every output; other layers get gradients from some of the outputs only."""
    shares: Hashable
    """A key that is the same for calls that share units."""
    scale: float = 1.0
    """Factor, as in `x * 0.1`, by which constants scale the signal since the last layer with weights; 1 in Keras."""
    given_by: int | None = None
    """Index of the record whose unchanged output is its input; None in Keras, and for a pooled input, for example."""
    number: int = 0
    """Number of the call, counted from 0 for the first call of the layer."""

    @property
    def units(self) -> int:
        """Length of the last axis of the output; 1 without axes."""
        return self.shape[-1] if self.shape else 1

    @property
    def size(self) -> int:
        """Count of numbers in the output for one input."""
        return int(np.prod(self.shape))


class Output(NamedTuple):
    """Name, activation and shape of one output of a model."""

    name: str
    activation: str | None
    """Activation of the layer that computed it; layers that only move numbers, such as Reshape, are passed over."""
    shape: tuple[int, ...]
    """Shape for one input; the last axis is that of the units."""


@dataclass(frozen=True)
class WeightRecord:
    """A summary of one weight array and of its gradient, which is the mean over inputs."""

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
    """True if a regularizer changes it even if its gradient is 0."""

    @property
    def size(self) -> int:
        """Count of numbers in the weight."""
        return int(np.prod(self.shape))


class Recorder(Protocol):
    """A receiver of the signals of layers, to which a model passes each signal when it is computed."""

    def forward(self, k: int, signal: Array, *, source: Array | None = None, logits: Array | None = None) -> None:
        """Receive the output of the layer with record k for a batch of n inputs.

        Args:
            k: index of the layer's record.
            signal: output of the layer, shape (n, …, units).
            source: input of the layer, if it is one tensor and `LayerRecord.given_by` is None.
            logits: input of the activation, if the layer has one and is an output of the model.
        """

    def slopes(self, k: int, largest: npt.NDArray[np.float64]) -> None:
        """Receive the largest absolute slope of the activation of layer k in a batch and all positions, shape (units,).

        A model does not call it for layers whose units cannot be dead.
        """

    def backward(self, k: int, gradient: Array) -> None:
        """Receive the gradient of the objective with respect to the output of layer k, in the shape of the output."""


class Parts:
    """An adapter that joins the output tensors of a layer with several, such as two states, for a recorder.

    Args:
        recorder: recorder that receives the joined signals.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.shapes: dict[int, list[tuple[int, ...]]] = {}
        self.gradients: dict[int, dict[int, Array]] = {}

    def forward(self, k: int, signals: Sequence[Array], **more: Array | None) -> None:
        """Receive the output tensors of layer k, and hand them, joined, and `more` (source, logits) to the recorder."""
        if len(signals) > 1:
            self.shapes[k] = [signal.shape for signal in signals]
        self.recorder.forward(k, _side_by_side(signals), **more)

    def backward(self, k: int, part: int, gradient: Array) -> None:
        """Receive the gradient of the output tensor with index `part` of layer k, see `Recorder.backward`."""
        if k not in self.shapes:
            self.recorder.backward(k, gradient)
            return
        self.gradients.setdefault(k, {})[part] = gradient
        if len(self.gradients[k]) == len(self.shapes[k]):
            self._hand_on(k)

    def end_batch(self) -> None:
        """Hand on the layers of which only some tensors have received a gradient, with 0 for the others."""
        for k in list(self.gradients):
            self._hand_on(k)
        self.shapes.clear()

    def _hand_on(self, k: int) -> None:
        came = self.gradients.pop(k)
        empty = (np.zeros(shape, np.float32) for shape in self.shapes[k])
        self.recorder.backward(k, _side_by_side([came.get(part, zeros) for part, zeros in enumerate(empty)]))


def _side_by_side(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
