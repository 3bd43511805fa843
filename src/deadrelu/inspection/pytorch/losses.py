"""The losses of PyTorch as `objectives.Losses`."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from deadrelu.errors import InputError
from deadrelu.inspection.objectives import IGNORED, Chosen, Labels, Usual
from deadrelu.inspection.records import Output
from deadrelu.inspection.validation import name_of


class TorchLosses:
    """The losses of PyTorch; classes are on the axis of channels, or on the last one if only that fits the labels."""

    class_axes: tuple[int, ...] = (0, -1)
    ignores: int | None = IGNORED

    def usual(self, kind: Usual, output: Output, class_axis: int) -> tuple[Callable[[Any, Any], Any], bool]:
        """Return a function that computes the loss of each input, and whether its gradients reach the output."""
        if kind == "mean squared error":
            return lambda y, p: functional.mse_loss(p, y, reduction="none"), True
        if kind == "binary cross-entropy":
            return lambda y, p: functional.binary_cross_entropy(p, y, reduction="none"), True
        log_p = {"softmax": torch.log, "log_softmax": lambda p: p}.get(
            output.activation or "", lambda p: functional.log_softmax(p, 1)
        )

        def cross_entropy(y: Any, p: Any) -> Any:
            p = p.movedim(-1, 1) if class_axis == -1 and p.ndim > 2 else p
            if kind == "cross-entropy":
                return functional.nll_loss(log_p(p), y, reduction="none", ignore_index=IGNORED)
            return -(y * log_p(p)).sum(1)

        return cross_entropy, True

    def given(self, loss: Any, output: Output, labels: Labels) -> Chosen:  # accepts any labels
        """Return the user's loss, a name, a function or a module, with the labels as int64 or float32."""
        given: Any = loss
        if isinstance(given, str):
            given = getattr(functional, given, None)
            if not callable(given):
                raise InputError(f"loss: received {loss!r}; expected: a function of torch.nn.functional, e.g. mse_loss")
        if isinstance(given, nn.Module) and hasattr(given, "reduction"):
            given = copy.copy(given)
            given.reduction = "none"
            function: Callable[[Any, Any], Any] = lambda y, p: given(p, y)  # noqa: E731
        elif "reduction" in getattr(getattr(given, "__code__", None), "co_varnames", ()):
            function = lambda y, p: given(p, y, reduction="none")  # noqa: E731
        else:
            function = lambda y, p: given(p, y)  # noqa: E731
        name = type(given).__name__ if isinstance(given, nn.Module) else name_of(given)
        labels = labels.astype(np.int64 if labels.dtype.kind in "biu" else np.float32)
        return Chosen(function, labels, name.replace("_", " "))

    def total(self, losses: list[Any]) -> Any:
        """Return the sum over inputs of losses, after a mean over positions; one tensor of shape (n, …) per output."""
        return sum(each.reshape(len(each), -1).mean(1).sum() for each in losses)

    def weighted_sum(self, output: Any, weights: Any) -> Any:
        """Return the sum of the products of an output and `weights`, an array of the same shape."""
        precise = output if output.dtype == torch.float64 else output.float()
        return (precise * torch.as_tensor(weights, dtype=precise.dtype, device=output.device)).sum()

    def tensor(self, labels: Labels, like: Any) -> Any:
        """Return labels as a tensor on the device of `like`; floating-point labels get its dtype."""
        tensor = torch.as_tensor(labels, device=like.device)
        return tensor.to(like.dtype) if tensor.is_floating_point() else tensor
