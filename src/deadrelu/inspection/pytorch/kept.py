"""Protection of a PyTorch model during a measurement: weights, buffers, modes, hooks and attributes are restored."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from deadrelu.errors import InputError


def checked(model: nn.Module) -> nn.Module:
    """Return the module inside the wrappers of `torch.compile` and `DataParallel`, or the module itself.

    Raises:
        InputError: the module is TorchScript, whose layers cannot be recorded, or has weights without a shape.
    """
    model = getattr(model, "_orig_mod", model)
    if isinstance(model, nn.DataParallel):
        model = model.module
    if isinstance(model, torch.jit.ScriptModule):
        raise InputError(
            "model: received TorchScript, whose layers cannot be recorded; expected: the nn.Module behind it"
        )
    lazy = [name for name, weight in model.named_parameters() if nn.parameter.is_lazy(weight)]
    if lazy:
        raise InputError(f"model: received {lazy[0]} without a shape; expected: call the model on an input first")
    if any(weight.is_inference() for weight in model.parameters()):
        raise InputError("model: received weights of torch.inference_mode(); expected: a model built outside it")
    return model


MAX_COPIED_BYTES = 2**28
"""Maximum total size of weights that are copied to be restored; the weights of larger models are only checked."""

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@contextmanager
def kept(model: nn.Module, seed: int, *, training: bool) -> Iterator[list[nn.Parameter]]:
    """Put the model in `training` or inference mode with gradients of all weights, and seed PyTorch; restore it after.

    Modes are set module by module, because a user's own method `train` may do more. Backward hooks are switched off,
    because they would replace the tensors that modules hand on. So is the result of `model.compile()`.

    Yields:
        The parameters that required no gradient before.
    """
    modules = list(model.modules())
    before = [_state_of(module) for module in modules]
    weights = list(model.parameters())
    copied = sum(weight.nbytes for weight in weights) <= MAX_COPIED_BYTES
    tensors = [*(weights if copied else []), *model.buffers()]
    values = [(tensor, tensor.detach().clone()) for tensor in tensors]
    needed, versions = [weight.requires_grad for weight in weights], [weight._version for weight in weights]
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # the fast path bypasses inner modules
        for module in modules:
            module.training = training
            vars(module).update(_backward_hooks={}, _backward_pre_hooks={}, _compiled_call_impl=None)
        for weight in weights:
            weight.requires_grad_(weight.is_floating_point() or weight.is_complex())  # includes frozen weights
        with torch.inference_mode(mode=False):
            torch.manual_seed(seed)
            yield [weight for weight, need in zip(weights, needed, strict=True) if not need]
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, state in zip(modules, before, strict=True):
            _restore(module, *state)
        for tensor, value in values:
            if tensor.shape != value.shape:
                tensor.data = value
            elif not _same_bits(tensor, value):
                tensor.data.copy_(value)
        for weight, need in zip(weights, needed, strict=True):
            weight.requires_grad_(need)
        if not copied and [weight._version for weight in weights] != versions:
            raise InputError("model: writes over its own weights when it is called; expected: one that leaves them")


State = tuple[dict[str, Any], dict[str, dict[Any, Any]]]


def _state_of(module: nn.Module) -> State:
    """Return copies of a module's attributes and of its dictionaries of hooks, parameters, buffers and modules."""
    attributes = vars(module)
    inner = (*HOOKS, "_parameters", "_buffers", "_modules")
    return {**attributes}, {name: dict(attributes[name]) for name in inner if attributes.get(name) is not None}


def _restore(module: nn.Module, attributes: dict[str, Any], inner: dict[str, dict[Any, Any]]) -> None:
    vars(module).clear()
    vars(module).update(attributes)
    for name, hooks in inner.items():
        attributes[name].clear()
        attributes[name].update(hooks)


def _same_bits(tensor: Any, value: Any) -> bool:
    """Return whether two tensors have the same bits, so that NaN equals itself; True for tensors that are not dense."""
    if tensor.layout != torch.strided:
        return True
    one, other = (t.detach().contiguous().reshape(-1).view(torch.uint8) for t in (tensor, value))
    return bool(torch.equal(one, other))
