"""Train a few trials side by side in one compiled program, and prepare arrays in the layout of programs."""

from concurrent.futures import CancelledError
from functools import lru_cache
from math import prod
from threading import Event

import numpy as np

from deadrelu.engine import programs
from deadrelu.engine.network import Adam, Float, Network, Numbers, Training
from deadrelu.engine.shuffles import BLOCK, MAX_KEPT_POINTS, left, right

ALIGNMENT = 64  # bytes to which whole arrays, not parts of them, are aligned: the widest vector, a cache line
MAX_KEPT_TABLES = 64  # maximum number of cached tables of points: enough for all trials of a block, if a table has 8
# Maximum number of points (epochs × training points) in one call of a program, unless one epoch has more. Between two
# calls, Python takes as long as an epoch of a small network.
POSITIONS_PER_CALL = 2**16


class Stop(Event):
    """An event that compiled programs also read: once it is set, they skip all remaining points."""

    def __init__(self) -> None:
        super().__init__()
        self.flag = np.zeros(1, np.int32)

    def set(self) -> None:
        """Set the event and make running programs end."""
        self.flag[0] = 1
        super().set()


class Points:
    """The training points of all trials of a run, and tables of these points in the orders of single trials.

    Args:
        x: inputs, shape (n_points, inputs), float32.
        y: targets, shape (n_points, outputs), float32.
        seed: seed of the shuffles.
    """

    def __init__(self, x: Float, y: Float, seed: int) -> None:
        self.x, self.y, self.n, self.seed = x, y, len(x), seed
        self._kept: dict[tuple[tuple[int, ...], int], Float] = {}

    def table(self, positions: tuple[int, ...], lanes: int) -> Float:
        """Return the inputs and targets of the points for some trials, each in the order of its `shuffles.right`.

        `positions` are the numbers of the trials within their block (trial % BLOCK). The table has shape
        (n_points, inputs + outputs, lanes) and type float32, with as many lanes as the program; lane k is for the trial
        at `positions[k]`, and surplus lanes repeat lane 0.
        """
        if (kept := self._kept.get((positions, lanes))) is not None:
            return kept
        order = np.stack([right(self.n, self.seed, position) for position in positions], axis=1).astype(np.intp)
        table = filled(np.stack([column.take(order) for column in (*self.x.T, *self.y.T)], axis=1), lanes)
        if self.n <= MAX_KEPT_POINTS and len(self._kept) < MAX_KEPT_TABLES:
            self._kept[positions, lanes] = table
        return table


class TrialBatch:
    """Networks in training (n of them, at most as many as a program has lanes), with the state of their optimizer.

    Args:
        network: description of the networks.
        training: settings with the batch size, the optimizer and the loss.
        points: training points.
        weights: initial weights, shape (n, n_weights), float32.
        numbers: numbers of the trials, which determine the shuffles, shape (n,), int64; all belong to one block.
    """

    def __init__(self, network: Network, training: Training, points: Points, weights: Float, numbers: Numbers) -> None:
        self.network, self.training, self.points = network, training, points
        self.block, self.positions = int(numbers[0]) // BLOCK, tuple((numbers % BLOCK).tolist())
        self.program, self.epoch = programs.program("train", network, training), 0
        # One array: separate ones may begin at one offset in their pages, where a store to one delays loads of another.
        state = filled(np.stack([weights.T, *np.zeros((3, *weights.T.shape), np.float32)]), self.program.lanes)
        self.state = dict(zip(("weights", "gradient", "mean", "square"), state, strict=True))

    @property
    def weights(self) -> Float:
        """Current weights, shape (n, n_weights), float32."""
        return plain(self.state["weights"][:, : len(self.positions)].T)

    def train(self, epochs: int, stop: Stop) -> Float:
        """Continue the training for some epochs; weights and moments of the optimizer are kept between calls.

        Args:
            epochs: number of further epochs.
            stop: event of another thread that ends the training with a `CancelledError`.

        Returns:
            Mean loss of the points in each epoch, while the weights change, shape (n, epochs), float32.
        """
        points, lanes, n_weights = self.points, self.program.lanes, self.network.n_weights
        rates = learning_rates(self.training, points.n, self.epoch + epochs)
        arrays = self.state | shared_arrays(self.network, lanes, stop)
        arrays["table"], loss = points.table(self.positions, lanes), aligned((epochs, lanes))
        per_call = max(1, POSITIONS_PER_CALL // points.n)
        for at in range(0, epochs, per_call):
            losses = loss[at : at + per_call]
            span = slice(self.epoch, self.epoch + len(losses))
            rows = np.concatenate([left(points.n, points.seed, self.block, e) for e in range(span.start, span.stop)])
            starts, sizes, epoch_of_batch = batches(points.n, self.training.batch_size, len(losses))
            arrays |= {"loss": losses, "rows": rows, "starts": starts, "sizes": sizes}
            arrays |= {"rates": rates[span], "epochs": epoch_of_batch}
            self.program(arrays, end=len(sizes), n_weights=n_weights)
            if stop.is_set():
                raise CancelledError
            self.epoch = span.stop
        return plain(loss[:, : len(self.positions)].T / np.float32(points.n))


def batches(n_points: int, size: int, epochs: int = 1) -> tuple[np.ndarray, Float, np.ndarray]:
    """Split each of some epochs of `n_points` points into batches of `size` points; the last one may be smaller.

    Returns:
        First point of each batch, counted from 0 through all epochs, and finally the number of points of all epochs,
        shape (batches + 1,), int64; batch sizes, (batches,), float32; each batch's epoch from 0 on, (batches,), int64.
    """
    starts_in_epoch = np.arange(0, n_points, size)
    starts = np.append((np.arange(epochs)[:, None] * n_points + starts_in_epoch).ravel(), epochs * n_points)
    return starts, np.diff(starts).astype(np.float32), np.repeat(np.arange(epochs), len(starts_in_epoch))


@lru_cache(maxsize=8)
def learning_rates(training: Training, n_points: int, epochs: int) -> Float:
    """Return the learning rates of all steps, shape (epochs, steps), float32; Adam's include bias correction.

    Powers of Adam's betas are rounded products in float64, because libraries differ in the last bits of `pow`.
    """
    optimizer, steps = training.optimizer, -(-n_points // training.batch_size)
    rate = np.float32(optimizer.learning_rate)
    if not isinstance(optimizer, Adam):
        return np.full((epochs, steps), rate)

    def correction(beta: float) -> Float:
        in_epoch = np.cumprod(np.full(steps, beta, np.float32).astype(np.float64))
        before = np.cumprod([1.0, *[in_epoch[-1]] * (epochs - 1)])
        return np.float32(1) - (before[:, None] * in_epoch).astype(np.float32)

    return rate * np.sqrt(correction(optimizer.beta_2)) / correction(optimizer.beta_1)


def at_points(kind: programs.Kind, network: Network, weights: Float, x: Float, stop: Stop) -> Float:
    """Run a program at some points, for a few networks at a time.

    Args:
        kind: "predict", or "count_active" to count the non-zero outputs of the last hidden layer.
        network: description of the networks.
        weights: weights of n networks, shape (n, n_weights), float32.
        x: inputs, shape (n_points, inputs), float32, in C order.
        stop: event of another thread that ends the program with a `CancelledError`.

    Returns:
        Predictions, shape (n, n_points, outputs), or counts over all points, shape (n,), float32.
    """
    program, outputs = programs.program(kind, network), network.sizes[-1]
    arrays, parts = {"table": x, **shared_arrays(network, program.lanes, stop)}, []
    name, shape = ("outputs", (len(x), outputs)) if kind == "predict" else ("active", ())
    for part in cut(weights, program.lanes):
        results = aligned((*shape, program.lanes))
        arrays |= {"weights": filled(part.T, program.lanes), name: results}
        program(arrays, end=len(x), n_weights=network.n_weights)
        if stop.is_set():
            raise CancelledError
        parts.append(plain(np.moveaxis(results, -1, 0)[: len(part)]))  # now, while the results are in the cache
    return np.concatenate(parts)


def cut(rows: np.ndarray, length: int) -> list[np.ndarray]:
    """Split an array along its first axis into parts of `length` rows; the last part may be smaller."""
    return [rows[at : at + length] for at in range(0, len(rows), length)]


def shared_arrays(network: Network, lanes: int, stop: Stop) -> dict[str, np.ndarray]:
    """Return, by name, arrays that several calls of a program share: scratch memory of units, layers, stop flag."""
    shape = (sum(network.sizes) * programs.POINTS, lanes)
    units: dict[str, np.ndarray] = {name: aligned(shape) for name in programs.UNITS}
    return units | {"layers": programs.layer_table(network.sizes, network.biases), "stop": stop.flag}


def aligned(shape: tuple[int, ...]) -> Float:
    """Return an array of zeros, float32, whose address is a multiple of `ALIGNMENT` bytes."""
    size = 4 * prod(shape)
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % ALIGNMENT
    return memory[begin : begin + size].view(np.float32).reshape(shape)


def filled(rows: Float, lanes: int) -> Float:
    """Return a copy of an array with trials in its last axis, padded to `lanes` trials by copies of the first."""
    copy = aligned((*rows.shape[:-1], lanes))
    copy[..., : rows.shape[-1]], copy[..., rows.shape[-1] :] = rows, rows[..., :1]
    return copy


def plain(values: Float) -> Float:
    """Return a copy in C order in which every NaN has the same bits: processors differ in the sign of NaN."""
    copy = np.array(values, order="C")
    copy[np.isnan(copy)] = np.nan
    return copy
