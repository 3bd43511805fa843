"""The engine's programs for training, prediction and counting active units, each for several trials side by side.

Programs are compiled for this processor, or to WebAssembly for a web page. A program computes one trial per lane (entry
of a vector).
The programs of small networks are unrolled. Programs of large networks loop over layers and units, and read the sizes
of layers from a table, so that a hundred layers compile as fast as three.
"""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from deadrelu.engine import compiler, forward_backward
from deadrelu.engine.forward_backward import Layer, Layers, State, Units
from deadrelu.engine.network import Architecture, Training
from deadrelu.engine.tracer import FLOAT, I32, I64, POINTER, Index, Memory, Tracer, Value

MAX_UNROLLED_WEIGHTS = 60
"""Maximum number of weights of networks with unrolled programs, which run faster and compile in at most a second."""

MAX_CACHED_WEIGHTS, MEMORY_BOUND_LANES = 60_000, 4
"""Programs with more weights than the first have the second as number of lanes, so that weights fit into the cache."""

POINTS = 4
"""Number of points computed side by side; each weight is loaded once for all of these points."""

WASM_LANES = 4
"""Number of trials side by side in WebAssembly, whose vectors have 128 bits."""

UNITS = ("preactivations", "signals", "deltas")
TRAIN = ("weights", "gradient", "mean", "square", "loss", *UNITS, "table", "rows", "starts", "sizes", "rates", "epochs")
PREDICT = ("weights", "outputs", *UNITS, "table")
ACTIVE = ("weights", "active", *UNITS, "table")
COMMON = ("layers", "stop")
NUMBERS = ("first", "end", "n_weights", "n_layers")

_COMPILING = Lock()  # because LLVM has one global context, and so that threads compile the same program only once


@dataclass(frozen=True)
class Program:
    """Machine code that computes `lanes` trials side by side.

    Its arguments are the addresses of the arrays named in TRAIN, PREDICT or ACTIVE and then in COMMON, followed by the
    integers named in NUMBERS. The last axis of an array of vectors is the lane.
    """

    run: compiler.Compiled
    lanes: int


def training(architecture: Architecture, settings: Training) -> Program:
    """Return the program of `forward_backward.epoch` for an optimizer and a loss; learning rates are its arguments."""
    optimizer = replace(settings.optimizer, learning_rate=1.0)
    settings = replace(settings, epochs=1, batch_size=1, optimizer=optimizer)
    return _program(TRAIN, architecture, settings)


def predictions(architecture: Architecture) -> Program:
    """Return the program of `forward_backward.predict`, which computes the outputs at some points."""
    return _program(PREDICT, architecture)


def count_active(architecture: Architecture) -> Program:
    """Return the program of `forward_backward.count_active`, which counts non-zero outputs of the last hidden layer."""
    return _program(ACTIVE, architecture)


def lanes(architecture: Architecture) -> int:
    """Return the number of trials that the programs of an architecture compute side by side on this processor."""
    return MEMORY_BOUND_LANES if architecture.n_weights > MAX_CACHED_WEIGHTS else compiler.lanes()


def _program(names: tuple[str, ...], architecture: Architecture, settings: Training | None = None) -> Program:
    with _COMPILING:
        return _compiled(names, _general(architecture), settings, compiler.processor(), lanes(architecture))


@lru_cache(maxsize=64)
def _compiled(
    names: tuple[str, ...], architecture: Architecture, settings: Training | None, processor: str, lanes: int
) -> Program:
    module = ir.Module()
    _write(module, "program", (*names, *COMMON), architecture, settings, lanes=lanes, points=POINTS, functions={})
    return Program(compiler.Compiled(module, "program"), lanes)


def webassembly(architecture: Architecture, settings: Training, *, points: int = 1) -> bytes:
    """Return a WebAssembly module with the programs `train`, `predict` and `count_active`.

    They have the arguments of native programs and, after `stop`, the address of the negative slope of Leaky ReLU.

    Args:
        architecture: architecture of the networks; its negative slope is not used.
        settings: optimizer and loss; the learning rate is an argument of the program.
        points: number of points computed side by side; with more points, unrolled programs are faster and larger.
    """
    module, functions = ir.Module(), dict[Any, ir.Function]()
    settings = replace(settings, epochs=1, batch_size=1, optimizer=replace(settings.optimizer, learning_rate=1.0))
    written = {"train": (TRAIN, settings), "predict": (PREDICT, None), "count_active": (ACTIVE, None)}
    general = _general(architecture)
    for name, (names, training) in written.items():
        pointers = (*names, *COMMON, "slope")
        _write(module, name, pointers, general, training, lanes=WASM_LANES, points=points, functions=functions)
    return compiler.to_webassembly(module, list(written))


def _write(
    module: ir.Module,
    name: str,
    pointers: Sequence[str],
    architecture: Architecture,
    settings: Training | None,
    *,
    lanes: int,
    points: int,
    functions: dict[Callable[..., Any], ir.Function],
) -> None:
    """Add the program `name`, with array arguments `pointers`, to a module; without `settings`, it does not train."""
    kinds = [*[POINTER] * len(pointers), *[I64] * len(NUMBERS)]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    argument = dict(zip((*pointers, *NUMBERS), function.args, strict=True))
    for pointer in pointers:
        argument[pointer].add_attribute("noalias")
    tracer = Tracer(function, lanes=lanes, points=points, stop=argument["stop"])
    tracer.functions = functions
    plan = _Plan(tracer, argument, architecture)
    if "slope" in argument and architecture.activation == "leaky_relu":
        slope: Any = plan._constant(plan._number("slope", I64(0), FLOAT))
        architecture = replace(architecture, negative_slope=slope)
    if settings is not None:
        state = State(*(Memory(tracer, argument[name]) for name in TRAIN[:4]))
        forward_backward.epoch(tracer, architecture, settings, plan.layers, state, plan.units, plan)
    else:
        write = forward_backward.predict if "outputs" in argument else forward_backward.count_active
        write(tracer, architecture, plan.layers, Memory(tracer, argument["weights"]), plan.units, plan)
    tracer.builder.ret_void()


def is_unrolled(architecture: Architecture) -> bool:
    """Return whether the programs of an architecture are unrolled."""
    return architecture.n_weights <= MAX_UNROLLED_WEIGHTS or len(architecture.layers) == 1


def _general(architecture: Architecture) -> Architecture:
    """Return an architecture with the same program; for a large network, one without its depth and widths."""
    sizes = architecture.sizes if is_unrolled(architecture) else (architecture.sizes[0], 0, architecture.sizes[-1])
    return replace(architecture, sizes=sizes)


@lru_cache(maxsize=64)
def layer_table(architecture: Architecture) -> npt.NDArray[np.int64]:
    """Return the fields of each `Layer`, shape (layers, 6), int64: the table that programs of large networks read."""
    return np.array([astuple(layer) for layer in forward_backward.layers_of(architecture)], np.int64)


class _Plan:
    """A `forward_backward.Plan` with layers, units, batches and points that a program reads from its arguments."""

    loss: Memory
    active: Memory

    def __init__(self, tracer: Tracer, argument: dict[str, ir.Value], architecture: Architecture) -> None:
        self.tracer, self.argument, self.architecture = tracer, argument, architecture
        self.first, self.end, self.n_weights = (Index(tracer, argument[name]) for name in NUMBERS[:3])
        for name in ("loss", "active"):
            if name in argument:
                setattr(self, name, Memory(tracer, argument[name]))
        if 0 in architecture.sizes:
            self.layers = self._layers_by_table()
            self.units = Units(*(Memory(tracer, argument[name], by_point=True) for name in UNITS))
        else:
            self.layers = _layers_written_out(architecture)
            self.units = Units({}, {}, {})  # values for which LLVM chooses registers or the stack

    def _layers_by_table(self) -> Layers:
        tracer, n = self.tracer, self.argument["n_layers"]

        def row(at: ir.Value) -> Layer:
            begin = tracer.builder.mul(at, I64(6))
            places = [tracer.builder.add(begin, I64(k)) for k in range(6)]
            return Layer(*(Index(tracer, self._number("layers", place, I64)) for place in places))

        def between(body: Callable[[Layer], None], *, backwards: bool = False) -> None:
            end = tracer.builder.sub(n, I64(1))

            def turn(k: Index) -> None:
                body(row(tracer.builder.sub(end, k.base) if backwards else k.base))

            tracer.repeat(1, Index(tracer, end), turn)

        return Layers(row(I64(0)), between, row(tracer.builder.sub(n, I64(1))))

    def batch(self, b: Index) -> "_Batch":
        after = self.tracer.builder.add(b.base, I64(1))
        first, end = (Index(self.tracer, self._number("starts", at, I64)) for at in (b.base, after))
        size, rate = (self._constant(self._number(name, b.base, FLOAT)) for name in ("sizes", "rates"))
        epoch = Index(self.tracer, self._number("epochs", b.base, I64))
        return _Batch(first, end, size, rate, epoch)

    def point(self, p: Index) -> "_Points":
        indices = [self.tracer.builder.add(p.base, I64(k)) for k in range(self.tracer.side_by_side)]
        return _Points(self, indices)

    def _number(self, name: str, at: ir.Value, kind: ir.Type) -> ir.Value:
        """Emit a load of entry `at`, a scalar of type `kind`, from the array that is the argument `name`."""
        builder = self.tracer.builder
        return builder.load(self.tracer.address(self.argument[name], at, kind), align=4, typ=kind)

    def _constant(self, number: ir.Value) -> Value:
        return Value(self.tracer, [[self._same(number)]])

    def _same(self, number: ir.Value) -> ir.Value:
        """Emit and return a run-time vector whose entries all equal the run-time scalar `number`."""
        builder, vector = self.tracer.builder, self.tracer.vector
        first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, I32(0))
        return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count))


def _layers_written_out(architecture: Architecture) -> Layers:
    layers = list(forward_backward.layers_of(architecture))
    middle = layers[1:-1]

    def between(body: Callable[[Layer], None], *, backwards: bool = False) -> None:
        for layer in reversed(middle) if backwards else middle:
            body(layer)

    return Layers(layers[0], between, layers[-1])


@dataclass(frozen=True)
class _Batch:
    first: Index
    end: Index
    size: Value
    rate: Value
    epoch: Index


class _Points:
    """Points computed side by side: in training, with inputs and targets of each trial; else, all trials share x."""

    def __init__(self, plan: _Plan, places: list[ir.Value]) -> None:
        self.plan, self.places = plan, places
        self.inputs, self.outputs = plan.architecture.sizes[0], plan.architecture.sizes[-1]
        self.own = "rows" in plan.argument
        if self.own:
            rows = [plan._number("rows", place, I32) for place in places]
            self.rows = [plan.tracer.builder.sext(row, I64) for row in rows]

    def input(self, i: Any) -> Value:
        return Value(self.plan.tracer, [[self._load(p, k) for p in range(len(self.places))] for k in self._entries(i)])

    def target(self, j: Any) -> Value:
        return self.input(self.plan.tracer.index(j) + self.inputs)

    def put(self, j: Any, output: Value) -> None:
        builder = self.plan.tracer.builder
        for vectors, k in zip(output.vectors, self._entries(j), strict=True):
            for vector, place in zip(vectors, self.places, strict=True):
                at = builder.add(builder.mul(place, I64(self.outputs)), k)
                builder.store(vector, self.plan.tracer.address(self.plan.argument["outputs"], at), align=4)

    def _load(self, p: int, k: ir.Value) -> ir.Value:
        tracer = self.plan.tracer
        if not self.own:
            at = tracer.builder.add(tracer.builder.mul(self.places[p], I64(self.inputs)), k)
            return self.plan._same(self.plan._number("table", at, FLOAT))
        at = tracer.builder.add(tracer.builder.mul(self.rows[p], I64(self.inputs + self.outputs)), k)
        return tracer.builder.load(tracer.address(self.plan.argument["table"], at), align=4, typ=tracer.vector)

    def _entries(self, i: Any) -> list[ir.Value]:
        return list(self.plan.tracer.entries(i))
