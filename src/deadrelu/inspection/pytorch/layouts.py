"""Where a tensor has its inputs and its units: PyTorch's convolutions have channels in front, its RNNs positions."""

from typing import Any, NamedTuple

from deadrelu.inspection.pytorch.calls import Heard

CHANNELS_FIRST = ("Conv", "BatchNorm", "InstanceNorm", "GroupNorm", "conv", "batch_norm", "instance_norm", "group_norm")
UNITS_LAST = ("Linear", "LayerNorm", "RMSNorm", "Embedding", "RNN", "LSTM", "GRU", "Multihead", "linear", "layer_norm")
ORDER_CHANGES = {"permute", "transpose", "movedim", "swapaxes", "T", "mT", "reshape", "view", "flatten"}


class Layout(NamedTuple):
    """Of one tensor."""

    inputs: int | None
    """Axis of the inputs; None: the first axis holds several entries of each, as windows of an image."""
    channels_first: bool
    """The units are the axis behind the inputs; else they are the last."""
    has_inputs: bool = True
    """It has entries for each input; not so an embedding of positions."""


def layout_of(call: Heard, tensor: Any, n: int, known: dict[int, Layout]) -> Layout:
    """Of a tensor that a call put out.

    Args:
        n: how many inputs there are.
        known: layouts of the tensors before, by their ids.
    """
    axis = next((axis for axis, length in enumerate(tensor.shape) if length == n), None)
    has_inputs = axis is not None or (tensor.ndim > 0 and tensor.shape[0] % n == 0)
    return Layout(axis, _channels_first(call, tensor, known), has_inputs)


def arranged(tensor: Any, layout: Layout, n: int) -> Any:
    """The same numbers as (inputs, …, units)."""
    first = 1
    if layout.inputs is None:
        tensor, first = tensor.reshape(n, tensor.shape[0] // n, *tensor.shape[1:]), 2
    elif layout.inputs:
        tensor = tensor.movedim(layout.inputs, 0)
    return tensor.movedim(first, -1) if layout.channels_first and tensor.ndim > first + 1 else tensor


def _channels_first(call: Heard, tensor: Any, known: dict[int, Layout]) -> bool:
    if call.what.removeprefix("Depthwise").startswith(CHANNELS_FIRST):
        return True
    if call.what.startswith(UNITS_LAST) or call.what in ORDER_CHANGES or not call.sources:
        return False
    before = known.get(id(call.sources[0]))
    return tensor.ndim == call.sources[0].ndim and before is not None and before.channels_first
