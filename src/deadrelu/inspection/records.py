"""The record of one layer, whatever framework it is of; what is collected of it; the numbers of its weights."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32] | npt.NDArray[np.float64]

Kind = Literal["weights", "normalization", "activation", "merge", "block", "output"]
"""A block is a composite layer that makes its output itself, from those of its layers: `x + dense(x)`."""

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
    """Its path, such as 'encoder/dense'."""
    layer_class: str
    kind: Kind
    activation: str | None
    """The field's name of its nonlinearity, such as 'relu'; None for a linear layer."""
    traits: frozenset[Trait]
    shape: tuple[int, ...]
    """Shape of its output for one input; the last axis counts units."""
    weights: tuple[Hashable, ...]
    """Keys of its own weights, see `WeightRecord`."""
    on_trunk: bool
    """Whether every path from the input to the output goes through it."""
    of_every_output: bool
    """Whether it is on the trunk to each output: elsewhere the gradients of some outputs are missing."""
    shares: Hashable
    """The same for calls that share units."""
    scale: float = 1.0
    """Factor by which the output of the layer before was multiplied, as in `x * 0.1`, before this one was given it."""
    given_by: int | None = None
    """Place of the record whose output it is given, as it is; None: another tensor, such as one that was pooled."""
    number: int = 0
    """0 for the layer's first call, 1 for its second, …"""

    @property
    def units(self) -> int:
        """Length of the last axis."""
        return self.shape[-1] if self.shape else 1

    @property
    def size(self) -> int:
        """Numbers in the output for one input."""
        return int(np.prod(self.shape))


class Output(NamedTuple):
    """One output of a model."""

    name: str
    activation: str | None
    """That of the layer that made it, or of the one before, if that only moves numbers about, as Reshape does."""
    shape: tuple[int, ...]
    """For one input, units last."""


@dataclass(frozen=True)
class WeightRecord:
    """The numbers of one weight and of its gradient, which is the mean over inputs."""

    key: Hashable
    """It tells the weights of a model apart."""
    layer: str
    name: str
    """Such as 'dense_1 (kernel)'."""
    shape: tuple[int, ...]
    trainable: bool
    is_kernel: bool
    """It has two or more axes and is no bias; or it scales a normalized signal."""
    rms: float
    """0 where the weight is all 0."""
    gradient_rms: float
    """0 where the gradient is exactly 0."""
    is_finite: bool
    is_regularized: bool = False
    """A regularizer moves it, whatever its gradient."""

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return int(np.prod(self.shape))


class Recorder(Protocol):
    """What collects the signals of layers as they appear; nothing is kept that need not be."""

    def forward(
        self,
        k: int,
        signal: Array,
        *,
        source: Array | None = None,
        logits: Array | None = None,
    ) -> None:
        """Take the output of layer k for some inputs, shape (n, …, units).

        Args:
            k: place of the layer's record.
            signal: its output.
            source: what the layer was given, if that is one tensor, and not the output of the layer of `given_by`.
            logits: what its activation was given, if it is an output of the model.
        """

    def slopes(self, k: int, largest: npt.NDArray[np.float64]) -> None:
        """Take the largest slope of the activation of layer k over inputs and positions, shape (units,).

        It is not called for layers whose units cannot be dead.
        """

    def backward(self, k: int, gradient: Array) -> None:
        """Take the gradient of the objective with respect to the output of layer k, of the same shape."""


class Parts:
    """Hands the signals of layers to a recorder; of a layer with several tensors, such as two states, as one array.

    Args:
        recorder: of whole signals.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.shapes: dict[int, list[tuple[int, ...]]] = {}
        self.gradients: dict[int, dict[int, Array]] = {}

    def forward(self, k: int, signals: Sequence[Array], **more: Array | None) -> None:
        """See `Recorder.forward`."""
        if len(signals) > 1:
            self.shapes[k] = [signal.shape for signal in signals]
        self.recorder.forward(k, _side_by_side(signals), **more)

    def backward(self, k: int, part: int, gradient: Array) -> None:
        """See `Recorder.backward`; of one of the tensors."""
        if k not in self.shapes:
            self.recorder.backward(k, gradient)
            return
        self.gradients.setdefault(k, {})[part] = gradient
        if len(self.gradients[k]) == len(self.shapes[k]):
            self._hand_on(k)

    def end_batch(self) -> None:
        """Count gradients as 0 that did not come, where others of the layer did."""
        for k in list(self.gradients):
            self._hand_on(k)
        self.shapes.clear()

    def _hand_on(self, k: int) -> None:
        came = self.gradients.pop(k)
        empty = (np.zeros(shape, np.float32) for shape in self.shapes[k])
        self.recorder.backward(k, _side_by_side([came.get(part, zeros) for part, zeros in enumerate(empty)]))


def _side_by_side(parts: Sequence[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
