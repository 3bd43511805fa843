"""Preparation of a user's model of either framework, with its inputs and labels, for a measurement."""

import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from deadrelu.errors import InputError
from deadrelu.inspection import objectives, validation
from deadrelu.inspection.subject import Objective, Subject


class Opened(NamedTuple):
    """A model with its inputs and objective, ready to be measured."""

    subject: Subject
    x: list[npt.NDArray[Any]]
    objective: Objective


@contextmanager
def opened(
    model: Any,
    inputs: validation.Given,
    labels: validation.Given | None = None,
    *,
    loss: validation.Loss = None,
    training: bool = False,
    seed: int = 0,
    most: int | None = None,
) -> Iterator[Opened]:
    """Yield a model with its inputs and objective, ready to be measured, and restore the model and random states.

    Args:
        model, inputs, labels, loss, training, seed: see `inspect.inspect`.
        most: maximum number of inputs; if there are more, the first are used. None: all are used.

    Raises:
        InputError: the model cannot be inspected, or inputs, labels or loss do not fit it.
    """
    open_model = _of_torch if validation.is_torch(model) else _of_keras
    with _random_states_kept():
        inputs, labels = validation.from_dataset(inputs, labels)
        if labels is None and loss is not None:
            raise InputError(f"loss: received {validation.name_of(loss)!r} without labels; expected: with labels")
        with open_model(model, inputs, labels, loss, training, seed, most) as ready:
            if not ready.subject.records:
                raise InputError("model: received no layer with a signal; expected: a model with layers of its own")
            yield ready


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """Restore the random states of Python, NumPy and PyTorch at the end, because models and loaders change them."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002  # a model may use it
    torch = sys.modules.get("torch")
    with torch.random.fork_rng() if torch else nullcontext():
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def _of_keras(
    model: Any, inputs: Any, labels: Any, loss: validation.Loss, training: bool, seed: int, most: int | None
) -> Iterator[Opened]:
    from deadrelu.inspection.keras.losses import KerasLosses
    from deadrelu.inspection.keras.model import KerasModel, check_runs_here, run_eagerly
    from deadrelu.inspection.keras.unchanged import unchanged

    validation.check_model(model)
    check_runs_here(model)
    tensors = getattr(model, "inputs", None) or []  # a subclassed model that was never called has none
    names = [] if tensors or not isinstance(inputs, Mapping) else list(inputs)
    x = [array[:most] for array in validation.arranged(inputs, names or [tensor.name for tensor in tensors], "inputs")]
    validation.check_inputs(x, [tuple(tensor.shape[1:]) for tensor in tensors] if tensors else None)
    with validation.failures_of("Keras"), unchanged(model, seed), run_eagerly():
        subject = KerasModel(model, x, names)
        losses = KerasLosses()
        objective = objectives.random_projection(losses, seed)
        if labels is not None:
            y = _labels(labels, [output.name for output in subject.outputs], x, most)
            objective = objectives.of_labels(losses, subject.outputs, y, loss or validation.compiled_loss(model))
        yield Opened(subject, x, objective)


@contextmanager
def _of_torch(
    model: Any, inputs: Any, labels: Any, loss: validation.Loss, training: bool, seed: int, most: int | None
) -> Iterator[Opened]:
    from deadrelu.inspection.pytorch.kept import checked, kept
    from deadrelu.inspection.pytorch.losses import TorchLosses
    from deadrelu.inspection.pytorch.model import TorchModel
    from deadrelu.inspection.pytorch.trace import Arguments

    model = checked(model)
    inputs, constants = validation.without_constants(inputs)
    names = list(inputs) if isinstance(inputs, Mapping) else []
    x = [array[:most] for array in validation.arranged(inputs, names, "inputs")]
    validation.check_inputs(x, None)
    with validation.failures_of("PyTorch"), kept(model, seed, training=training) as frozen:
        subject = TorchModel(model, x, Arguments(names, constants), frozen)
        losses = TorchLosses()
        objective = objectives.random_projection(losses, seed)
        if labels is None and "labels" in names and subject.has_own_loss:
            objective = Objective(objective.function, "the model's own loss", is_own=True)
        if labels is not None:
            y = _labels(labels, [output.name for output in subject.outputs], x, most)
            objective = objectives.of_labels(losses, subject.outputs, y, loss)
        yield Opened(subject, x, objective)


def _labels(labels: Any, names: list[str], x: list[npt.NDArray[Any]], most: int | None) -> list[npt.NDArray[Any]]:
    y = [array[:most] for array in validation.arranged(labels, names, "labels")]
    if any(len(array) != len(x[0]) for array in y):
        counts = " and ".join(str(len(array)) for array in y)
        raise InputError(f"labels: received {counts} for {len(x[0])} inputs; expected: as many")
    return y
