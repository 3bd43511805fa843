"""Compile the engine's programs to WebAssembly, with 128-bit vectors that hold four trials each."""

from collections.abc import Iterator

import llvmlite.binding as llvm
from llvmlite import ir

from deadrelu.engine import compiler, programs
from deadrelu.engine.network import Network, Training

LANES = 4  # number of trials side by side
CUSTOM, EXPORT, CODE = 0, 7, 10  # identifiers of the kinds of sections in a WebAssembly module


def compiled(network: Network, training: Training, *, points: int = 1) -> bytes:
    """Return a WebAssembly module that exports the programs `train`, `predict` and `count_active`.

    They have the arguments of native programs and, after `stop`, the address of the negative slope of Leaky ReLU. The
    module imports its memory as `env.__linear_memory`. Addresses have 32 bits, counts have 64 bits.

    Args:
        network: description of the networks; its negative slope is not used.
        training: optimizer and loss; the learning rate is an argument of the program.
        points: number of points computed side by side; with more points, unrolled programs are faster and larger.
    """
    module, general = ir.Module(), programs.general(network)
    for kind in programs.ARRAYS:
        settings = training if kind == "train" else None
        programs.write(module, kind, general, settings, lanes=LANES, points=points, slope=True)
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple("wasm32-unknown-unknown")
    machine = target.create_target_machine(features="+simd128,+bulk-memory", opt=3, reloc="static")
    optimized = compiler.optimized(module, machine)
    order = [function.name for function in optimized.functions if not function.is_declaration]
    # LLVM's output is meant for a linker; a runnable module requires only a section of exports in addition.
    names = b"".join(_vector(kind.encode()) + b"\0" + _number(order.index(kind)) for kind in programs.ARRAYS)
    emitted: bytes = machine.emit_object(optimized)
    binary = emitted[:8]
    for section_kind, section in _sections(emitted):
        if section_kind == CODE:
            binary += bytes([EXPORT]) + _vector(_number(len(programs.ARRAYS)) + names)
        if section_kind != CUSTOM:  # custom sections are notes for the linker
            binary += section
    return binary


def _sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind of each section of a WebAssembly module, and the bytes of the section with its header."""
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
    """Return bytes preceded by their count, which is encoded by `_number`."""
    return _number(len(content)) + content


def _number(n: int) -> bytes:
    """Return an integer n >= 0 in the encoding of WebAssembly: seven bits per byte, the lowest first (LEB128)."""
    return bytes([n & 127 | 128]) + _number(n >> 7) if n > 127 else bytes([n])
