"""A user's model, inputs and labels, made ready to be measured, whatever framework they are of."""

import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from deadrelu.errors import InputError
from deadrelu.inspection import fitting
from deadrelu.inspection.subject import Array, Subject
from deadrelu.signals import layers, objectives


class Opened(NamedTuple):
    """What there is to measure."""

    subject: Subject
    x: list[Array]
    objective: objectives.Named


@contextmanager
def opened(
    model: Any,
    inputs: fitting.Given,
    labels: fitting.Given | None = None,
    *,
    loss: fitting.Loss = None,
    training: bool = False,
    seed: int = 0,
    most: int | None = None,
) -> Iterator[Opened]:
    """Find the layers of a model. While open, it may change; then it is as it was.

    Args:
        model, inputs, labels, loss, training, seed: see `inspect.inspect`.
        most: of more inputs, the first are used.

    Raises:
        InputError: the model is none, or inputs or labels do not fit it.
    """
    how = _of_torch if fitting.is_torch(model) else _of_keras
    with _random_states_kept():
        inputs, labels = fitting.from_dataset(inputs, labels)
        if labels is None and loss is not None:
            raise InputError(f"loss: received {fitting.name_of(loss)!r} without labels; expected: with labels")
        with how(model, inputs, labels, loss, training, seed, most) as made:
            if not made.subject.recorded:
                raise InputError("model: received no layer with a signal; expected: a model with layers of its own")
            yield made


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """What a model, or a loader of batches, draws meanwhile is not missing from what is drawn behind."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  # a model may use it
    torch = sys.modules.get("torch")
    with torch.random.fork_rng() if torch else nullcontext():
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)  # noqa: NPY002


@contextmanager
def _of_keras(
    model: Any, inputs: Any, labels: Any, loss: fitting.Loss, training: bool, seed: int, most: int | None
) -> Iterator[Opened]:
    from deadrelu.inspection.keras_model import KerasModel
    from deadrelu.signals.unchanged import unchanged

    fitting.check_model(model)
    tensors = getattr(model, "inputs", None) or None  # a subclassed model that was never called has none
    x = [array[:most] for array in fitting.arranged(inputs, [tensor.name for tensor in tensors or []], "inputs")]
    fitting.check_inputs(x, [tuple(tensor.shape[1:]) for tensor in tensors] if tensors else None)
    with fitting.failures_of("Keras"), unchanged(model, seed):
        survey = layers.trace_layers(model, x)
        named = objectives.random_projection(seed)
        if labels is not None:
            y = _labels(labels, [output.name for output in survey.outputs], x, most)
            named = objectives.of_labels(survey.outputs, y, loss or fitting.compiled_loss(model))
        yield Opened(KerasModel(model, survey), x, named)


@contextmanager
def _of_torch(
    model: Any, inputs: Any, labels: Any, loss: fitting.Loss, training: bool, seed: int, most: int | None
) -> Iterator[Opened]:
    from deadrelu.inspection.pytorch import fitting as of_torch
    from deadrelu.inspection.pytorch.model import TorchModel, looked_at

    model = of_torch.checked(model)
    names = list(inputs) if isinstance(inputs, Mapping) else []
    x = [array[:most] for array in fitting.arranged(inputs, names, "inputs")]
    fitting.check_inputs(x, None)
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    with fitting.failures_of("PyTorch"), looked_at(model, seed, training=training):
        subject = TorchModel(model, x, names, trained)
        named = of_torch.random_projection(seed)
        if labels is not None:
            y = _labels(labels, [output.name for output in subject.traced.outputs], x, most)
            named = of_torch.of_labels(subject.traced.outputs, y, loss)
        yield Opened(subject, x, named)


def _labels(labels: Any, names: list[str], x: list[Array], most: int | None) -> list[Array]:
    y = [array[:most] for array in fitting.arranged(labels, names, "labels")]
    if any(len(array) != len(x[0]) for array in y):
        counts = " and ".join(str(len(array)) for array in y)
        raise InputError(f"labels: received {counts} for {len(x[0])} inputs; expected: as many")
    return y
