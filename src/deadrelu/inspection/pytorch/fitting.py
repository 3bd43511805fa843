"""PyTorch's models, inputs and losses as users have them, fitted to what `inspect` measures."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from deadrelu.errors import InputError
from deadrelu.inspection.fitting import name_of
from deadrelu.inspection.subject import Array
from deadrelu.signals.layers import Output
from deadrelu.signals.objectives import Named
from deadrelu.streams import PROJECTION, stream


def checked(model: nn.Module) -> nn.Module:
    """The module itself, without what `torch.compile` and `DataParallel` put around it.

    Raises:
        InputError: its layers cannot be heard, or it has no weights yet.
    """
    model = getattr(model, "_orig_mod", model)
    if isinstance(model, nn.DataParallel):
        model = model.module
    if isinstance(model, torch.jit.ScriptModule):
        raise InputError("model: received TorchScript, whose layers cannot be heard; expected: the nn.Module behind it")
    lazy = [name for name, weight in model.named_parameters() if nn.parameter.is_lazy(weight)]
    if lazy:
        raise InputError(f"model: received {lazy[0]} without a shape; expected: call the model on an input first")
    return model


def of_labels(outputs: Sequence[Output], labels: Sequence[Array], loss: Any) -> Named:
    """Sum over inputs of each input's own loss; over outputs too, if there are several.

    Args:
        outputs: of the model, in its order.
        labels: for each output, classes of shape (n_inputs,) or targets of the output's shape.
        loss: a name of `torch.nn.functional`, a function or a module with `reduction`, or one that gives each input's
            loss. None: cross-entropy for classes, binary cross-entropy behind a sigmoid, squared error otherwise.
    """
    if len(labels) != len(outputs):
        raise InputError(f"labels: received {len(labels)} arrays; expected: one for each of {len(outputs)} outputs")
    chosen = [_loss(output, truth, loss) for output, truth in zip(outputs, labels, strict=True)]

    def objective(predicted: list[Any], rows: slice) -> Any:
        total = 0
        for (function, truth, _), prediction in zip(chosen, predicted, strict=True):
            target = torch.as_tensor(truth[rows], device=prediction.device)
            if target.is_floating_point():
                target = target.to(prediction.dtype)
            try:
                each = function(prediction, target)
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                reason = " ".join(str(error).split())[:150]
                of_labels = f"labels: received shape {truth.shape}, which the loss does not take"
                told = of_labels if loss is None else f"loss: received {loss!r}, which does not take these labels"
                raise InputError(f"{told} ({reason})") from None
            if each.ndim == 0:
                raise InputError(f"loss: received {loss!r}; expected: a loss of each input by itself")
            total = total + each.reshape(len(target), -1).mean(1).sum()
        return total

    return Named(objective, " + ".join(dict.fromkeys(name for _, _, name in chosen)))


def random_projection(seed: int) -> Named:
    """See `objectives.random_projection`: the same weights."""
    rngs: list[np.random.Generator] = []

    def objective(predicted: list[Any], rows: slice) -> Any:
        if not rngs:
            rngs.extend(stream(seed, PROJECTION, k) for k in range(len(predicted)))
        weights = [rng.standard_normal(tuple(o.shape), np.float32) for rng, o in zip(rngs, predicted, strict=True)]
        return sum((o * torch.as_tensor(w, device=o.device)).sum() for o, w in zip(predicted, weights, strict=True))

    return Named(objective, "a random projection of the outputs")


def _loss(output: Output, labels: Array, loss: Any) -> tuple[Callable[..., Any], Array, str]:
    """The loss function, the labels in the type that it takes, and its name."""
    if labels.dtype.kind not in "biuf":
        raise InputError(f"labels: received {labels.dtype}; expected: numbers")
    if not np.isfinite(labels.astype(np.float64)).all():
        raise InputError("labels: received NaN or infinity; expected: finite numbers")
    classes = labels.dtype.kind in "biu"
    given: Any = loss
    if given is None:
        return _usual(output, labels)
    if isinstance(given, str):
        given = getattr(functional, given, None)
        if not callable(given):
            raise InputError(f"loss: received {loss!r}; expected: a function of torch.nn.functional, e.g. mse_loss")
    if isinstance(given, nn.Module) and hasattr(given, "reduction"):
        given = copy.copy(given)
        given.reduction = "none"
        function: Callable[..., Any] = given
    elif "reduction" in getattr(getattr(given, "__code__", None), "co_varnames", ()):
        function = lambda prediction, target: given(prediction, target, reduction="none")  # noqa: E731
    else:
        function = given
    name = type(given).__name__ if isinstance(given, nn.Module) else name_of(given)
    return function, labels.astype(np.int64 if classes else np.float32), name.replace("_", " ")


def _usual(output: Output, labels: Array) -> tuple[Callable[..., Any], Array, str]:
    units, rest = (output.shape[0] if output.shape else 1), output.shape[1:]
    whole = np.array_equal(labels, np.round(labels))
    if whole and len(output.shape) > 1 and labels.shape[1:] == output.shape[:-1] != rest:  # positions, classes
        function, labels, name = _usual(output._replace(shape=(output.shape[-1], *output.shape[:-1])), labels)
        return lambda p, y: function(p.movedim(-1, 1), y), labels, name
    if labels.size == len(labels) * int(np.prod(rest)) and units > 1 and whole:
        if labels.min() < 0 or labels.max() >= units:
            span = f"values from {labels.min():g} to {labels.max():g}"
            raise InputError(f"labels: received {span}; expected: whole numbers from 0 to {units - 1}")
        labels = labels.reshape(len(labels), *rest).astype(np.int64)
        if output.activation == "log_softmax":
            return lambda p, y: functional.nll_loss(p, y, reduction="none"), labels, "negative log-likelihood"
        if output.activation == "softmax":
            return lambda p, y: functional.nll_loss(p.log(), y, reduction="none"), labels, "cross entropy"
        return lambda p, y: functional.cross_entropy(p, y, reduction="none"), labels, "cross entropy from logits"
    if labels.size != len(labels) * int(np.prod(output.shape)):
        shapes = f"{('n', *output.shape[1:])} with classes or {('n', *output.shape)}".replace("'", "")
        raise InputError(f"labels: received shape {labels.shape}; expected for {output.name}: {shapes}")
    labels = labels.reshape(len(labels), *output.shape).astype(np.float32)
    if output.activation == "sigmoid" and labels.min() >= 0 and labels.max() <= 1:
        return lambda p, y: functional.binary_cross_entropy(p, y, reduction="none"), labels, "binary cross entropy"
    return lambda p, y: functional.mse_loss(p, y, reduction="none"), labels, "mean squared error"
