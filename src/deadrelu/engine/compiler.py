"""From LLVM's intermediate language to machine code that Python can call, or to WebAssembly that a browser can.

LLVM does with each + - × ÷ and √ what IEEE 754 says, in the order in which they stand, unless it is allowed to do
otherwise. Here it never is: no fast-math flag, no a × b + c in one rounding. So neither changes a bit.
"""

import ctypes
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache

import llvmlite.binding as llvm
from llvmlite import ir

from deadrelu.errors import InputError

OLDER: dict[str, set[str]] = {"generic": set(), "x86-64": {"sse2"}, "nehalem": {"sse4.2"}, "haswell": {"avx2", "bmi2"}}
"""Processors that this one can play, and what it must have to do so; generic is any with the same instructions."""


def processor() -> str:
    """The processor for which code is made: this one, or an older one that DEADRELU_CPU names.

    Raises:
        InputError: it cannot be played here.
    """
    host, features = _host()
    name = os.environ.get("DEADRELU_CPU") or host
    playable = [older for older, needed in OLDER.items() if needed <= features.keys()]
    if name not in (host, *playable):
        raise InputError(f"DEADRELU_CPU: received {name!r}; expected one of {', '.join(playable)}, or nothing: {host}")
    return name


def lanes() -> int:
    """Trials in a vector: one register of the widest kind, or two of the next. It changes no bit."""
    host, features = _host()
    return 16 if processor() == host and "avx512f" in features else 8


@lru_cache(maxsize=1)
def _host() -> tuple[str, dict[str, bool]]:
    """Name of this processor, and the instructions that it has beyond the common ones."""
    features = llvm.get_host_cpu_features()
    return llvm.get_host_cpu_name(), {name: True for name, has in features.items() if has}


def _machine(name: str) -> llvm.TargetMachine:
    """LLVM's description of a processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    host, features = _host()
    flags = [f"+{feature}" for feature in features] if name == host else []
    if "+avx512f" in flags:
        flags.append("-prefer-256-bit")  # LLVM's choice on some processors, for code that is not all vectors
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=name, features=",".join(flags), opt=3)


def _optimized(module: ir.Module, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    parsed = llvm.parse_assembly(str(module))
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False  # it is vectors already
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    return parsed


class Compiled:
    """A function of pointers and whole numbers, in machine code. Calls release Python's lock.

    Args:
        module: holds the function, and nothing that is not needed.
        name: of the function.
    """

    def __init__(self, module: ir.Module, name: str) -> None:
        machine = _machine(processor())
        parsed = _optimized(module, machine)
        self._engine = llvm.create_mcjit_compiler(parsed, machine)  # the code lives as long as this
        self._engine.finalize_object()
        pointers = [isinstance(argument.type, ir.PointerType) for argument in module.get_global(name).args]
        types = [ctypes.c_void_p if pointer else ctypes.c_int64 for pointer in pointers]
        self._call = ctypes.CFUNCTYPE(None, *types)(self._engine.get_function_address(name))

    def __call__(self, *arguments: int) -> None:
        """Run it: addresses are whole numbers, too."""
        self._call(*arguments)


WASM = "wasm32-unknown-unknown"
CUSTOM, EXPORT, CODE = 0, 7, 10
"""Kinds of sections of a WebAssembly module."""


def to_webassembly(module: ir.Module, functions: Sequence[str]) -> bytes:
    """Compile to a WebAssembly module with 128-bit vectors.

    It imports its memory as `env.__linear_memory`. Addresses are 32-bit numbers, counts 64-bit ones.

    Args:
        module: without data of its own.
        functions: names of those that the module exports.
    """
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(WASM)
    machine = target.create_target_machine(features="+simd128,+bulk-memory", opt=3, reloc="static")
    parsed = _optimized(module, machine)
    order = [function.name for function in parsed.functions if not function.is_declaration]
    # What LLVM emits for a linker lacks one thing of a module that can be run: a list of what it exports.
    names = b"".join(_vector(name.encode()) + b"\0" + _number(order.index(name)) for name in functions)
    emitted: bytes = machine.emit_object(parsed)
    made = emitted[:8]
    for kind, section in _sections(emitted):
        if kind == CODE:
            made += bytes([EXPORT]) + _vector(_number(len(functions)) + names)
        if kind != CUSTOM:  # notes to the linker
            made += section
    return made


def _sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind of each section, and the section."""
    at = 8
    while at < len(module):
        size, shift, begin = 0, 0, at + 1
        while True:
            size |= (module[begin] & 127) << shift
            shift, begin = shift + 7, begin + 1
            if module[begin - 1] < 128:
                break
        yield module[at], module[at : begin + size]
        at = begin + size


def _vector(content: bytes) -> bytes:
    """Return bytes with their number in front."""
    return _number(len(content)) + content


def _number(n: int) -> bytes:
    """Return a number as WebAssembly has it: seven bits a byte, the lowest first (LEB128)."""
    return bytes([n & 127 | 128]) + _number(n >> 7) if n > 127 else bytes([n])
