"""Generate programs by tracing: with a `Tracer`, the code of `forward_backward.py` emits instructions of a program.

On arrays, `z = w * x + z` computes numbers. Here w, x and z are `Value`s, which stand for numbers of the program at run
time, and each operation appends an instruction of LLVM's intermediate language to the function that is being generated.
A loop such as `ops.repeat(0, n, body)` calls its body once, with an `Index` that stands for the loop variable, and
emits the branches of the loop around the instructions of the body. If n is a plain integer, there is no loop: the body
is called, and its instructions are emitted, n times (the loop is unrolled).

The order of operations on each number is fixed, but independent numbers can be computed side by side:

- a vector contains one number for each of `lanes` trials;
- a `Value` is a block of vectors, for up to `TILE` units and several points: each weight is loaded once for all points
  of a block. Operations on blocks of different sizes broadcast size 1, as NumPy does.

Sums over points are accumulated point by point (`accumulate`), and sums over units in the order of `total`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

from llvmlite import ir

from deadrelu.engine.operations import Body, Operations

I32, I64, FLOAT, POINTER = ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.PointerType()

TILE = 4  # number of units computed side by side in loops; each signal is loaded once for all of these units


def _emits(operation: str, *, swapped: bool = False) -> Callable[["Value", Any], "Value"]:
    """Return a method of `Value` that emits `combine` of self and another operand, which comes first if swapped."""

    def method(self: "Value", other: Any) -> "Value":
        return self.tracer.combine(operation, other, self) if swapped else self.tracer.combine(operation, self, other)

    return method


class Value:
    """A block of run-time vectors, `vectors[unit][point]`, of numbers or of truth values of a comparison."""

    def __init__(self, tracer: "Tracer", vectors: list[list[ir.Value]]) -> None:
        self.tracer, self.vectors = tracer, vectors

    __add__, __radd__ = _emits("fadd"), _emits("fadd", swapped=True)
    __sub__, __rsub__ = _emits("fsub"), _emits("fsub", swapped=True)
    __mul__, __rmul__ = _emits("fmul"), _emits("fmul", swapped=True)
    __truediv__, __rtruediv__ = _emits("fdiv"), _emits("fdiv", swapped=True)
    __gt__, __lt__ = _emits(">"), _emits(">", swapped=True)  # Python calls __lt__ for `0.0 > value`

    def __neg__(self) -> "Value":
        return self.tracer.apply(self.tracer.builder.fneg, self)


class Index:
    """An integer `base` of the program at run time, or a tile of `width` integers from `base` on, `step` apart."""

    def __init__(self, tracer: "Tracer", base: ir.Value, step: ir.Value | None = None, width: int = 1) -> None:
        self.tracer, self.base, self.step, self.width = tracer, base, step, width

    def __add__(self, other: "Index | int") -> "Index":
        other = self.tracer.index(other)
        wide = self if self.width > 1 else other
        return Index(self.tracer, self.tracer.builder.add(self.base, other.base), wide.step, wide.width)

    def __mul__(self, other: "Index | int") -> "Index":
        other = self.tracer.index(other)
        wide, factor = (self, other) if self.width > 1 else (other, self)
        step = None if wide.step is None else self.tracer.builder.mul(wide.step, factor.base)
        return Index(self.tracer, self.tracer.builder.mul(self.base, other.base), step, wide.width)

    __radd__, __rmul__ = __add__, __mul__


class Memory:
    """An array in the memory of the program; each entry is a vector or, with `by_point`, a vector for each point."""

    def __init__(self, tracer: "Tracer", pointer: ir.Value, *, by_point: bool = False) -> None:
        self.tracer, self.pointer, self.by_point = tracer, pointer, by_point

    def __getitem__(self, index: "Index | int") -> Value:
        load = self.tracer.builder.load
        vector = self.tracer.vector
        return Value(self.tracer, [[load(at, align=4, typ=vector) for at in unit] for unit in self._addresses(index)])

    def __setitem__(self, index: "Index | int", value: Value | float) -> None:
        block = self.tracer.value(value)
        for u, unit in enumerate(self._addresses(index)):
            for p, at in enumerate(unit):
                self.tracer.builder.store(_pick(block.vectors, u, p), at, align=4)

    def _addresses(self, index: "Index | int") -> Iterator[list[ir.Value]]:
        points = self.tracer.side_by_side if self.by_point else 1
        for at in self.tracer.entries(index):
            first = self.tracer.builder.mul(at, I64(points))
            yield [self.tracer.address(self.pointer, self.tracer.builder.add(first, I64(p))) for p in range(points)]


class Tracer(Operations):
    """An implementation of `Operations` that generates a function of the program.

    Args:
        function: LLVM function without instructions, with its arguments.
        lanes: number of entries of a vector.
        points: number of points computed side by side.
        stop: address of an int32 that is read before each iteration of a loop over points; a value other than 0 ends
            the loop.
    """

    def __init__(self, function: ir.Function, *, lanes: int, points: int, stop: ir.Value) -> None:
        self.builder = ir.IRBuilder(function.append_basic_block("begin"))
        self.vector = ir.VectorType(FLOAT, lanes)
        self.lanes, self.side_by_side, self.stop = lanes, points, stop

    def value(self, number: Value | float) -> Value:
        """Return a constant as a `Value`, and a `Value` unchanged."""
        if isinstance(number, Value):
            return number
        return Value(self, [[ir.Constant(self.vector, [number] * self.lanes)]])

    def index(self, number: Index | int) -> Index:
        """Return an integer as an `Index`, and an `Index` unchanged."""
        return number if isinstance(number, Index) else Index(self, I64(number))

    def entries(self, index: Index | int) -> Iterator[ir.Value]:
        """Yield each integer of an index as a run-time value: one, or all `width` of a tile, by emitted additions."""
        index = self.index(index)
        at = index.base
        for u in range(index.width):
            if u:
                at = self.builder.add(at, index.step)
            yield at

    def address(self, pointer: ir.Value, at: ir.Value, kind: ir.Type | None = None) -> ir.Value:
        """Return the run-time address of entry `at` of an array `pointer`; entries are vectors, or of type `kind`."""
        return self.builder.gep(pointer, [at], source_etype=kind or self.vector)

    def combine(self, operation: str, left: Value | float, right: Value | float) -> Value:
        """Emit ">", or the method of `ir.IRBuilder` named `operation`, for two blocks or constants; return a block."""
        emit = partial(self.builder.fcmp_ordered, ">") if operation == ">" else getattr(self.builder, operation)
        return self.apply(emit, self.value(left), self.value(right))

    def apply(self, operation: Callable[..., ir.Value], *blocks: Value) -> Value:
        """Emit `operation` for each unit and point of blocks, broadcast to a common size; return the result block."""
        units = range(max(len(block.vectors) for block in blocks))
        points = range(max(len(block.vectors[0]) for block in blocks))
        parts = [[[_pick(block.vectors, u, p) for block in blocks] for p in points] for u in units]
        return Value(self, [[operation(*vectors) for vectors in unit] for unit in parts])

    def select(self, condition: Value, yes: Value | float, no: Value | float) -> Value:
        return self.apply(self.builder.select, condition, self.value(yes), self.value(no))

    def sqrt(self, value: Value) -> Value:
        name, module = f"llvm.sqrt.v{self.lanes}f32", self.builder.module
        known = module.globals.get(name)
        root = known or ir.Function(module, ir.FunctionType(self.vector, [self.vector]), name)
        return self.apply(lambda a: self.builder.call(root, [a]), value)

    def call(self, function: Callable[[Any, Any], Any], value: Value) -> Value:
        """Return function(value); a function of this name is emitted once, for all calls, since that compiles fast."""
        written = self.builder.module.globals.get(function.__name__)
        if written is None:
            kind = ir.FunctionType(self.vector, [self.vector])
            written = ir.Function(self.builder.module, kind, function.__name__)
            written.linkage = "internal"
            written.attributes.add("noinline")
            inside = Tracer(written, lanes=self.lanes, points=1, stop=self.stop)
            inside.builder.ret(function(inside, Value(inside, [[written.args[0]]])).vectors[0][0])
        return self.apply(lambda a: self.builder.call(written, [a]), value)

    def accumulate(self, total: Value, value: Value | float) -> Value:
        """Return the sum of `total` (one vector per unit) and the vectors of `value` for all points, added in order."""
        sums = []
        for u, (start,) in enumerate(total.vectors):
            for p in range(len(self.value(value).vectors[0])):
                start = self.builder.fadd(start, _pick(self.value(value).vectors, u, p))
            sums.append([start])
        return Value(self, sums)

    def each(self, n: Index | int, body: Body) -> None:
        if isinstance(n, int):
            return super().each(n, body)
        whole = self.builder.and_(n.base, I64(-TILE))
        with self._loop(I64(0), whole, step=TILE) as k:
            body(Index(self, k, I64(1), TILE))
        with self._loop(whole, n.base) as k:
            body(Index(self, k))

    def total(self, n: Index | int, term: Callable[[Any], Value]) -> Value:
        if isinstance(n, int):
            sums: Value = super().total(n, term)
            return sums
        first = term(self.index(0)).vectors
        carried: list[ir.Value] = list(chain.from_iterable(first))
        with self._loop(I64(1), n.base, carried=carried) as k:
            so_far = Value(self, _blocks(carried, len(first)))
            carried[:] = chain.from_iterable((so_far + term(Index(self, k))).vectors)
        return Value(self, _blocks(carried, len(first)))

    def repeat(self, first: Index | int, end: Index | int, body: Body) -> None:
        if isinstance(first, int) and isinstance(end, int):
            return super().repeat(first, end, body)
        with self._loop(self.index(first).base, self.index(end).base) as k:
            body(Index(self, k))

    def points(self, first: Index, end: Index, body: Body) -> None:
        """Emit a loop of `body` over groups of points computed side by side, and a loop over the remaining points."""
        points_per_step, begin = self.side_by_side, first.base
        if points_per_step > 1:
            count = self.builder.sub(end.base, begin)
            whole = self.builder.add(begin, self.builder.and_(count, I64(-points_per_step)))
            with self._loop(begin, whole, step=points_per_step, can_stop=True) as p:
                body(Index(self, p, I64(1), points_per_step))
            begin = whole
        self.side_by_side = 1
        with self._loop(begin, end.base, can_stop=True) as p:
            body(Index(self, p))
        self.side_by_side = points_per_step

    @contextmanager
    def _loop(
        self,
        first: ir.Value,
        end: ir.Value,
        *,
        step: int = 1,
        carried: list[ir.Value] | None = None,
        can_stop: bool = False,
    ) -> Iterator[ir.Value]:
        """Emit a loop around the instructions of the `with` block, for k in range(first, end, step), and yield k.

        The body replaces the vectors in the list `carried` by their values for the next iteration; after the loop, the
        list contains the last values. If `can_stop` is true, the stop flag of the tracer also ends the loop.
        """
        builder, carried = self.builder, [] if carried is None else carried
        before = builder.block
        test, turn, after = (builder.append_basic_block(name) for name in ("test", "turn", "after"))
        builder.branch(test)
        builder.position_at_end(test)
        k = builder.phi(I64)
        k.add_incoming(first, before)
        phis = [builder.phi(self.vector) for _ in carried]
        for phi, start in zip(phis, carried, strict=True):
            phi.add_incoming(start, before)
        goes_on = builder.icmp_signed("<", k, end)
        if can_stop:
            stop = builder.load_atomic(self.stop, "monotonic", 4, typ=I32)
            goes_on = builder.and_(goes_on, builder.icmp_signed("==", stop, I32(0)))
        builder.cbranch(goes_on, turn, after)
        builder.position_at_end(turn)
        carried[:] = phis
        yield k
        k.add_incoming(builder.add(k, I64(step)), builder.block)
        for phi, last in zip(phis, carried, strict=True):
            phi.add_incoming(last, builder.block)
        builder.branch(test)
        builder.position_at_end(after)
        carried[:] = phis


def _pick(vectors: list[list[ir.Value]], u: int, p: int) -> ir.Value:
    """Return the vector of unit u and point p of a block; a block with one unit or one point is broadcast."""
    unit = vectors[u if len(vectors) > 1 else 0]
    return unit[p if len(unit) > 1 else 0]


def _blocks(flat: list[ir.Value], units: int) -> list[list[ir.Value]]:
    """Return the vectors of a flat list as a block of `units` lists of equal length."""
    points = len(flat) // units
    return [flat[at : at + points] for at in range(0, len(flat), points)]
