"""A Keras model as a `Subject`, which runs batches forward and backward and hands each signal to a recorder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from deadrelu.errors import InputError
from deadrelu.inspection.keras.calls import Call, is_signal, record_calls
from deadrelu.inspection.keras.kinds import TRAITS, is_recurrent, kernels_of
from deadrelu.inspection.keras.trace import Traced, owners, packed, trace
from deadrelu.inspection.measure import rms
from deadrelu.inspection.records import ONE_SOURCE, Array, Parts, Recorder, WeightRecord
from deadrelu.inspection.subject import Objective, is_new
from deadrelu.inspection.units import has_dead_units


class KerasModel:
    """A Keras model as a `Subject`; a first pass over a few rows of `x` determines its layers, see `trace.trace`."""

    framework: Literal["Keras", "PyTorch"] = "Keras"

    def __init__(self, model: Any, x: Sequence[npt.NDArray[Any]], names: Sequence[str] = ()) -> None:
        self.model, self.names = model, names
        # This check comes before any pass, because a pass may spread NaN into moving averages.
        self.finite = {id(weight): bool(np.isfinite(weight.numpy()).all()) for weight in model.weights}
        survey = trace(model, x, names)
        self.traced, self.outputs, self.opaque = survey.traced, survey.outputs, survey.opaque
        self.records = [entry.record for entry in survey.traced]
        self.takes_any_scale = not survey.classes.isdisjoint(TRAITS["any scale"])
        self.variables = [v for v in model.weights if v.value.dtype.is_floating]
        self.gradients: list[Any] = [None] * len(self.variables)
        self.inputs = 0

    def passes(
        self, x: Sequence[npt.NDArray[Any]], objective: Objective, recorder: Recorder, *, size: int, training: bool
    ) -> Iterator[int]:
        """Run the inputs forward and backward in batches of up to `size`, see `Subject.passes`."""
        import keras
        import tensorflow as tf

        place = {(id(entry.operation), entry.record.number): k for k, entry in enumerate(self.traced)}
        operations = list(dict.fromkeys(entry.operation for entry in self.traced))
        values = [variable.value for variable in self.variables]
        self.gradients, self.inputs = [None] * len(values), len(x[0])
        parts = Parts(recorder)

        def record(call: Call) -> Any:
            k = place.get((id(call.operation), call.number))
            if k is None:
                return call.output
            with tape.stop_recording():
                _record(self.traced[k], k, call, parts)
            flat = keras.tree.flatten(call.output)
            ids = {id(t): part for part, t in enumerate(_signals(call, self.traced[k]))}
            handed = [_tapped(t, k, ids[id(t)], parts) if id(t) in ids else t for t in flat]
            return keras.tree.pack_sequence_as(call.output, handed)

        for start in range(0, len(x[0]), size):
            rows = slice(start, min(start + size, len(x[0])))
            with tf.GradientTape() as tape, record_calls(operations, record):
                given = [tf.convert_to_tensor(array[rows]) for array in x]
                watched = [*values, *(tensor for tensor in given if tensor.dtype.is_floating)]
                tape.watch(watched)  # includes weights of frozen layers, and inputs, for layers before the first weight
                ends = keras.tree.flatten(self.model(packed(self.model, given, self.names), training=training))
                loss = objective.function([end for end in ends if end is not None], rows)
            for k, gradient in enumerate(tape.gradient(loss, watched)[: len(values)]):
                if gradient is not None:
                    so_far = self.gradients[k]
                    self.gradients[k] = gradient if so_far is None else tf.add(so_far, gradient)
            parts.end_batch()
            yield rows.stop - rows.start

    def weights(self) -> list[WeightRecord]:
        """Return all weights, with the gradients of the last `passes`."""
        layers, trained = owners(self.model), {id(v) for v in self.model.trainable_variables}
        kernels = {id(kernel) for entry in self.traced for kernel in kernels_of(entry.operation)}
        gradients = dict(zip(map(id, self.variables), self.gradients, strict=True))
        records = []
        for variable in self.model.weights:
            values, gradient = variable.numpy(), gradients.get(id(variable))
            layer = layers.get(id(variable), variable.path)
            records.append(
                WeightRecord(
                    key=id(variable),
                    layer=layer,
                    name=f"{layer} ({variable.name})",
                    shape=tuple(variable.shape),
                    trainable=id(variable) in trained,
                    is_kernel=id(variable) in kernels or variable.name == "gamma",
                    rms=rms(values),
                    gradient_rms=0.0 if gradient is None else rms(_dense(gradient)) / self.inputs,
                    is_finite=self.finite.get(id(variable), True),
                    is_regularized=variable.regularizer is not None and bool(values.any()),
                )
            )
        return records

    @contextmanager
    def stepped(self, keys: Sequence[Any]) -> Iterator[None]:
        """Move the all-zero weights with these keys a step against their gradients; set them to 0 at the end."""
        pairs = zip(self.variables, self.gradients, strict=True)
        chosen = [(v, g) for v, g in pairs if id(v) in keys and g is not None]
        try:
            for variable, gradient in chosen:
                array = _dense(gradient)
                fan_in = np.prod(array.shape[:-1]) if array.ndim > 1 else 1
                variable.assign(-array / (rms(array) * np.sqrt(fan_in)))
            yield
        finally:
            for variable, _ in chosen:
                variable.assign(np.zeros(variable.shape))

    def new_normalizations(self) -> int:
        """Return the number of BatchNormalization layers with the moving averages of a new layer, see `is_new`."""
        operations = {id(e.operation): e.operation for e in self.traced if hasattr(e.operation, "moving_variance")}
        return sum(is_new(o.moving_mean.numpy(), o.moving_variance.numpy()) for o in operations.values())


@contextmanager
def run_eagerly() -> Iterator[None]:
    """Run each `tf.function` eagerly in the context, so that the tensors inside it have values."""
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    try:
        tf.config.run_functions_eagerly(True)
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def check_runs_here(model: Any) -> None:
    """Refuse a model on another backend than TensorFlow, or with quantized layers, which pass no gradient.

    Raises:
        InputError: the model is refused; the message says why.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"model: received a Keras model on the {keras.backend.backend()} backend; expected: "
            "KERAS_BACKEND=tensorflow, with which the same .keras file is inspected"
        )
    quantized = [layer.path for layer in model._flatten_layers() if getattr(layer, "quantization_mode", None)]
    if quantized:
        raise InputError(
            f"model: received layers quantized to whole numbers ({quantized[0]}), which pass no gradient; expected: "
            "the model before `quantize`"
        )


def _signals(call: Call, entry: Traced) -> list[Any]:
    """Return the output tensors of a call at the indices `entry.parts`, if `is_signal` is true of them."""
    tensors = call.tensors()
    return [tensors[k] for k in entry.parts if k < len(tensors) and is_signal(tensors[k])]


def _record(entry: Traced, k: int, call: Call, parts: Parts) -> None:
    """Hand the output and the input of a call, and the slopes of its activation, to the recorder of `parts`."""
    record, source, logits = entry.record, None, None
    if record.kind in ONE_SOURCE and call.sources and is_signal(call.sources[0]):
        source = _array(call.sources[0])
    if call.function is not None and not is_recurrent(entry.operation) and record.activation is not None:
        if has_dead_units(record.activation) and record.shape:
            parts.recorder.slopes(k, largest_slope(call.function, call.preactivation))
        if record.kind == "output":
            logits = _array(call.preactivation)
    parts.forward(k, [_array(t) for t in _signals(call, entry)], source=source, logits=logits)


def _tapped(tensor: Any, k: int, part: int, parts: Parts) -> Any:
    """Return a copy of output tensor `part` of layer k whose gradient is handed to `parts.backward` when computed."""
    import tensorflow as tf

    def passed(gradient: Any) -> Any:
        parts.backward(k, part, _array(tf.convert_to_tensor(gradient)))
        return gradient

    tapped = tf.custom_gradient(lambda t: (tf.identity(t), passed))(tensor)
    if hasattr(tensor, "_keras_logits"):  # Keras computes cross-entropy from these
        tapped._keras_logits = tensor._keras_logits
    return tapped


def largest_slope(function: Any, preactivation: Any) -> npt.NDArray[np.float64]:
    """Return the largest absolute slope of an elementwise function over inputs and positions, float64, shape (units,).

    Args:
        function: a function of a tensor.
        preactivation: a tensor of shape (n_inputs, …, units).
    """
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(preactivation)
        outputs = function(preactivation)
    slope = tape.gradient(outputs, preactivation, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    known = tf.where(tf.math.is_nan(preactivation + slope), float("inf"), tf.abs(slope))  # an unknown slope is not 0
    largest: npt.NDArray[np.float64] = tf.reduce_max(known, axis=list(range(len(slope.shape) - 1))).numpy()
    return largest.astype(np.float64)


def _dense(gradient: Any) -> npt.NDArray[Any]:
    """Return a gradient as a dense array, also for an embedding, whose gradient consists of the rows that were used."""
    import tensorflow as tf

    array: npt.NDArray[Any] = tf.convert_to_tensor(gradient).numpy()
    return array


def _array(tensor: Any) -> Array:
    """Return a tensor as an array: float64 if the tensor has this dtype, else float32."""
    array = tensor.numpy()
    signal: Array = array if array.dtype == np.float64 else array.astype(np.float32, copy=False)
    return signal
