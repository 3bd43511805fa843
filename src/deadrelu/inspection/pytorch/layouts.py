"""The axes of inputs and of units in a tensor, whose order differs among the layers of PyTorch."""

from typing import Any, NamedTuple

from deadrelu.inspection.pytorch.calls import RecordedCall

CHANNELS_FIRST = ("Conv", "BatchNorm", "InstanceNorm", "GroupNorm", "conv", "batch_norm", "instance_norm", "group_norm")
UNITS_LAST = (
    *("Linear", "LayerNorm", "RMSNorm", "Embedding", "RNN", "LSTM", "GRU", "Multihead"),
    *("embedding", "linear", "layer_norm"),
)


class Layout(NamedTuple):
    """The axis of the inputs and the axis of the units of one tensor."""

    inputs: int | None
    """Axis of the inputs; None if the first axis has several entries for each input, such as windows of an image."""
    units: int
    """Axis of the units."""
    has_inputs: bool = True
    """False if no axis has equally many entries for each input, as in an embedding of positions."""


def input_layout(tensor: Any) -> Layout:
    """Return the layout of an input of the model, where axis 0 is that of inputs; images have channels on axis 1."""
    return Layout(0, _usual(tensor))


def layout_of(
    call: RecordedCall, k: int, sizes: tuple[int, int], other: RecordedCall, known: dict[int, Layout]
) -> Layout:
    """Return the layout of an output tensor of a call.

    Args:
        call, other: the same call in the first and in the second pass.
        k: index of the tensor among the call's outputs.
        sizes: the numbers of inputs in the two passes; the axis of the inputs is the one that has these lengths.
        known: layouts of the earlier tensors of the first pass, by their ids.
    """
    tensor = call.outputs[k]
    n, m = sizes
    shape, other_shape = tuple(tensor.shape), tuple(other.outputs[k].shape)
    units = _units(call, tensor, known)
    if len(shape) != len(other_shape) or not shape:
        return Layout(None, units, has_inputs=False)
    differ = [axis for axis in range(len(shape)) if shape[axis] != other_shape[axis]]
    axis = differ[0] if n != m and len(differ) == 1 else shape.index(n) if n == m and n in shape else None
    if axis is not None and shape[axis] == n and other_shape[axis] == m:
        return Layout(axis, units)
    grouped = axis == 0 and shape[0] > 0 and shape[0] % n == 0 and other_shape[0] * n == shape[0] * m
    return Layout(None, units, has_inputs=grouped)


def arranged(tensor: Any, layout: Layout, n: int) -> Any:
    """Return a tensor with this layout in the shape (n, …, units); n is the number of inputs."""
    units = layout.units
    if layout.inputs is None:
        tensor, units = tensor.reshape(n, tensor.shape[0] // n, *tensor.shape[1:]), units + 1
    elif layout.inputs:
        tensor, units = tensor.movedim(layout.inputs, 0), units + (units < layout.inputs)
    return tensor.movedim(units, -1) if 0 < units < tensor.ndim - 1 else tensor


def _units(call: RecordedCall, tensor: Any, known: dict[int, Layout]) -> int:
    last: int = max(tensor.ndim - 1, 0)
    if call.what.removeprefix("Depthwise").startswith(CHANNELS_FIRST):
        return min(1, last)
    if call.what.startswith(UNITS_LAST):
        return last
    before = [known[id(source)] for source in call.sources if id(source) in known and source.ndim == tensor.ndim]
    if call.axes and before:
        return call.axes.index(before[0].units)
    return before[0].units if before else _usual(tensor)


def _usual(tensor: Any) -> int:
    ndim: int = tensor.ndim
    return 1 if ndim > 3 else max(ndim - 1, 0)
