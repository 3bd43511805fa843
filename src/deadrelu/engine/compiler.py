"""Compile LLVM's intermediate language to machine code that Python calls.

LLVM computes each + - × ÷ and √ as IEEE 754 specifies, in the given order, unless flags permit otherwise. No such flag
is set here: neither fast-math nor the fusion of a × b + c into one rounding. Compilation therefore changes no bit.
"""

import ctypes
import os
from collections.abc import Callable
from functools import lru_cache

import llvmlite.binding as llvm
from llvmlite import ir

from deadrelu.errors import InputError

OLDER: dict[str, set[str]] = {"generic": set(), "x86-64": {"sse2"}, "nehalem": {"sse4.2"}, "haswell": {"avx2", "bmi2"}}
"""Older processors that code can be compiled for, each with the features that it has; "generic" assumes none."""


def processor() -> str:
    """Return the processor that code is compiled for: this one, or an older one that DEADRELU_CPU names.

    Raises:
        InputError: DEADRELU_CPU names an unknown processor, or one whose code this processor cannot run.
    """
    host, features = _host()
    name = os.environ.get("DEADRELU_CPU") or host
    playable = [older for older, needed in OLDER.items() if needed <= features.keys()]
    if name not in (host, *playable):
        raise InputError(f"DEADRELU_CPU: received {name!r}; expected one of {', '.join(playable)}, or nothing: {host}")
    return name


def lanes() -> int:
    """Return the usual number of trials in a vector, which changes no result: 16 if AVX-512 is used, otherwise 8."""
    host, features = _host()
    return 16 if processor() == host and "avx512f" in features else 8


@lru_cache(maxsize=1)
def _host() -> tuple[str, dict[str, bool]]:
    """Return LLVM's name of this processor, and a dictionary with its instruction-set features as keys, each True."""
    features = llvm.get_host_cpu_features()
    return llvm.get_host_cpu_name(), {name: True for name, has in features.items() if has}


def _machine(name: str) -> llvm.TargetMachine:
    """Return LLVM's target machine for the processor `name`, with all its features if it is this processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    host, features = _host()
    flags = [f"+{feature}" for feature in features] if name == host else []
    if "+avx512f" in flags:
        flags.append("-prefer-256-bit")  # for code with few vectors, LLVM prefers 256 bits on some processors
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=name, features=",".join(flags), opt=3)


def optimized(module: ir.Module, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """Return a module for a target machine, after optimizations that change no bit of a result."""
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    parsed = llvm.parse_assembly(str(module))
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False  # already vectorized
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    return parsed


def compiled(module: ir.Module, name: str) -> Callable[..., None]:
    """Return a function of pointers and integers in machine code; a call releases Python's global interpreter lock.

    Args:
        module: LLVM module that contains the function and all functions that it calls.
        name: name of the function; when it is called, a pointer is given as an integer address.
    """
    # Vectors on an unaligned stack cross cache lines, which takes longer. llvmlite rejects the attribute's name.
    set.add(module.get_global(name).attributes, '"stackrealign"')
    machine = _machine(processor())
    engine = llvm.create_mcjit_compiler(optimized(module, machine), machine)
    engine.finalize_object()
    pointers = [isinstance(argument.type, ir.PointerType) for argument in module.get_global(name).args]
    types = [ctypes.c_void_p if pointer else ctypes.c_int64 for pointer in pointers]
    function = ctypes.CFUNCTYPE(None, *types)(engine.get_function_address(name))
    function.engine = engine  # type: ignore[attr-defined]  # the code exists only as long as the engine
    return function
