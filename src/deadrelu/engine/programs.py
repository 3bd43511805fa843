"""The engine's programs: train, predict and count active units, each for several trials side by side.

A program computes one trial per lane (entry of a vector). The programs of small networks are unrolled. Programs of
large networks loop over layers and units, and read the sizes of layers from a table, so that a hundred layers compile
as fast as three.
"""

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from threading import Lock
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from deadrelu.engine import compiler, forward_backward
from deadrelu.engine.forward_backward import Arithmetic, Layer, Plan
from deadrelu.engine.network import Network, Training
from deadrelu.engine.tracer import FLOAT, I32, I64, POINTER, Index, Memory, Tracer, Value

MAX_UNROLLED_WEIGHTS = 60  # number of weights up to which programs are unrolled: they compile in about a second
MAX_CACHED_WEIGHTS = 60_000  # number of weights up to which the usual number of lanes fits into the cache
MEMORY_BOUND_LANES = 4  # number of lanes of programs with more weights
POINTS = 4  # number of points computed side by side; each weight is loaded once for all of these points

Kind = Literal["train", "predict", "count_active"]
UNITS = ("preactivations", "signals", "deltas")
VECTORS = ("weights", "gradient", "mean", "square", "loss")
TABLES = ("table", "rows", "starts", "sizes", "rates", "epochs")
# Arrays whose addresses are the first arguments of each program; the last axis of an array of vectors is the lane.
ARRAYS: dict[Kind, tuple[str, ...]] = {
    "train": (*VECTORS, *UNITS, *TABLES, "layers", "stop"),
    "predict": ("weights", "outputs", *UNITS, "table", "layers", "stop"),
    "count_active": ("weights", "active", *UNITS, "table", "layers", "stop"),
}
NUMBERS = ("first", "end", "n_weights", "n_layers")  # the other arguments, which are integers

_COMPILING = Lock()  # because LLVM has one global context, and so that threads compile the same program only once


@dataclass(frozen=True)
class Program:
    """Machine code that computes `lanes` trials side by side."""

    kind: Kind
    code: Callable[..., None]
    lanes: int

    def __call__(self, arrays: Mapping[str, np.ndarray], *, end: int, n_weights: int) -> None:
        """Run the program on arrays by their names in `ARRAYS`, from batch or point 0 to `end` - 1."""
        addresses = [arrays[name].ctypes.data for name in ARRAYS[self.kind]]
        self.code(*addresses, 0, end, n_weights, len(arrays["layers"]))


def program(kind: Kind, network: Network, training: Training | None = None) -> Program:
    """Return the program that runs the method `kind` of `forward_backward.Arithmetic`.

    Args:
        kind: kind of program.
        network: description of the networks.
        training: loss and optimizer, for "train" only; its other settings are arguments of the program.
    """
    if training:
        optimizer = replace(training.optimizer, learning_rate=1.0)
        training = replace(training, epochs=1, batch_size=1, optimizer=optimizer)
    with _COMPILING:
        return _compiled(kind, general(network), training, compiler.processor(), lanes(network))


def lanes(network: Network) -> int:
    """Return the number of trials that the programs of a network compute side by side on this processor."""
    return MEMORY_BOUND_LANES if network.n_weights > MAX_CACHED_WEIGHTS else compiler.lanes()


@lru_cache(maxsize=64)
def _compiled(kind: Kind, network: Network, training: Training | None, processor: str, lanes: int) -> Program:
    module = ir.Module()
    write(module, kind, network, training, lanes=lanes, points=POINTS)
    return Program(kind, compiler.compiled(module, kind), lanes)


def write(
    module: ir.Module,
    kind: Kind,
    network: Network,
    training: Training | None,
    *,
    lanes: int,
    points: int,
    slope: bool = False,
) -> None:
    """Add the program `kind` to an LLVM module, as a function of that name.

    Args:
        module: module to which the program and the functions that it calls are added.
        kind: kind of program.
        network: description of the networks, from `general`.
        training: loss and optimizer, for "train" only.
        lanes: number of trials computed side by side.
        points: number of points computed side by side; with more points, unrolled programs are faster and larger.
        slope: whether the address of Leaky ReLU's negative slope is an argument, after the other addresses.
    """
    pointers = [*ARRAYS[kind], *["slope"] * slope]
    kinds = [*[POINTER] * len(pointers), *[I64] * len(NUMBERS)]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), kind)
    argument = dict(zip((*pointers, *NUMBERS), function.args, strict=True))
    for pointer in pointers:
        argument[pointer].add_attribute("noalias")
    tracer = Tracer(function, lanes=lanes, points=points, stop=argument["stop"])
    plan = _Plan(tracer, argument, network)
    if slope and network.activation == "leaky_relu":
        negative_slope: Any = plan.constant("slope", I64(0))
        network = replace(network, negative_slope=negative_slope)
    arithmetic = Arithmetic(tracer, network, plan)
    assert (training is not None) == (kind == "train")
    if training is not None:
        arithmetic.train(training)
    else:
        arithmetic.predict() if kind == "predict" else arithmetic.count_active()
    tracer.builder.ret_void()


def is_unrolled(network: Network) -> bool:
    """Return whether the programs of a network are unrolled."""
    return network.n_weights <= MAX_UNROLLED_WEIGHTS or len(network.layers) == 1


def general(network: Network) -> Network:
    """Return a network with the same program, without initializers and, if large, without its depth and widths."""
    widths = tuple(network.widths) if is_unrolled(network) else (0,)
    return replace(network, widths=widths, initialize="zeros", initialize_first=None, initialize_last=None)


@lru_cache(maxsize=64)
def layer_table(sizes: tuple[int, ...], biases: bool) -> npt.NDArray[np.int64]:
    """Return the fields of each `Layer`, shape (layers, 6), int64: the table that programs of large networks read."""
    return np.array([astuple(layer) for layer in forward_backward.layers_of(sizes, biases)], np.int64)


class _Plan(Plan):
    """A plan whose layers, arrays, batches and points a program reads from its arguments."""

    def __init__(self, tracer: Tracer, argument: dict[str, ir.Value], network: Network) -> None:
        self.tracer, self.argument, self.network = tracer, argument, network
        self.first, self.end, self.n_weights = (Index(tracer, argument[name]) for name in NUMBERS[:3])
        for name in (*VECTORS, "active"):
            if name in argument:
                setattr(self, name, Memory(tracer, argument[name]))
        self.by_table = 0 in network.sizes
        if self.by_table:
            self.first_layer, self.last_layer = self._layer(I64(0)), self._layer(self._last())
            for name in UNITS:
                setattr(self, name, Memory(tracer, argument[name], by_point=True))
        else:
            self.layers = list(forward_backward.layers_of(network.sizes, network.biases))
            self.first_layer, self.last_layer = self.layers[0], self.layers[-1]
            self.preactivations, self.signals, self.deltas = {}, {}, {}  # LLVM chooses registers or the stack

    def _last(self) -> ir.Value:
        return self.tracer.builder.sub(self.argument["n_layers"], I64(1))

    def _layer(self, at: ir.Value) -> Layer:
        """Emit loads of a row of `layer_table`, and return the layer that it describes."""
        begin = self.tracer.builder.mul(at, I64(6))
        places = [self.tracer.builder.add(begin, I64(k)) for k in range(6)]
        return Layer(*(Index(self.tracer, self.number("layers", place, I64)) for place in places))

    def between(self, body: Callable[[Layer], None], *, backwards: bool = False) -> None:
        if not self.by_table:
            for layer in self.layers[-2:0:-1] if backwards else self.layers[1:-1]:
                body(layer)
            return
        last = self._last()

        def turn(k: Index) -> None:
            body(self._layer(self.tracer.builder.sub(last, k.base) if backwards else k.base))

        self.tracer.repeat(1, Index(self.tracer, last), turn)

    def batch(self, b: Index) -> SimpleNamespace:
        after = self.tracer.builder.add(b.base, I64(1))
        first, end = (Index(self.tracer, self.number("starts", at, I64)) for at in (b.base, after))
        size, rate = (self.constant(name, b.base) for name in ("sizes", "rates"))
        epoch = Index(self.tracer, self.number("epochs", b.base, I64))
        return SimpleNamespace(first=first, end=end, size=size, rate=rate, epoch=epoch)

    def point(self, p: Index) -> "_Points":
        return _Points(self, [self.tracer.builder.add(p.base, I64(k)) for k in range(self.tracer.side_by_side)])

    def number(self, name: str, at: ir.Value, kind: ir.Type) -> ir.Value:
        """Emit a load of entry `at`, a scalar of type `kind`, from the array that is the argument `name`."""
        return self.tracer.builder.load(self.tracer.address(self.argument[name], at, kind), align=4, typ=kind)

    def constant(self, name: str, at: ir.Value) -> Value:
        """Emit a load of a float as by `number`, and return a run-time vector whose entries all equal it."""
        builder, vector = self.tracer.builder, self.tracer.vector
        undefined, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(I32, vector.count), None)
        first = builder.insert_element(undefined, self.number(name, at, FLOAT), I32(0))
        return Value(self.tracer, [[builder.shuffle_vector(first, first, zeros)]])


class _Points:
    """Points computed side by side: in training, with inputs and targets of each trial; else, all trials share x."""

    def __init__(self, plan: _Plan, places: list[ir.Value]) -> None:
        self.plan, self.places, self.tracer, self.builder = plan, places, plan.tracer, plan.tracer.builder
        self.inputs, self.outputs = plan.network.sizes[0], plan.network.sizes[-1]
        self.own = "rows" in plan.argument
        if self.own:
            self.rows = [self.builder.sext(plan.number("rows", place, I32), I64) for place in places]

    def input(self, i: Any) -> Value:
        load = self._of_trial if self.own else self._shared
        return Value(self.tracer, [[load(p, k) for p in range(len(self.places))] for k in self.tracer.entries(i)])

    def target(self, j: Any) -> Value:
        return self.input(self.tracer.index(j) + self.inputs)

    def put(self, j: Any, output: Value) -> None:
        for vectors, k in zip(output.vectors, self.tracer.entries(j), strict=True):
            for vector, place in zip(vectors, self.places, strict=True):
                at = self.builder.add(self.builder.mul(place, I64(self.outputs)), k)
                self.builder.store(vector, self.tracer.address(self.plan.argument["outputs"], at), align=4)

    def _shared(self, p: int, k: ir.Value) -> ir.Value:
        at = self.builder.add(self.builder.mul(self.places[p], I64(self.inputs)), k)
        return self.plan.constant("table", at).vectors[0][0]

    def _of_trial(self, p: int, k: ir.Value) -> ir.Value:
        at = self.builder.add(self.builder.mul(self.rows[p], I64(self.inputs + self.outputs)), k)
        address = self.tracer.address(self.plan.argument["table"], at)
        return self.builder.load(address, align=4, typ=self.tracer.vector)
