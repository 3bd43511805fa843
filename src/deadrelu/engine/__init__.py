"""Train many small networks in parallel, with the same bits on every processor; inputs and results are arrays."""

from deadrelu.engine.batch import Stop
from deadrelu.engine.compiler import processor
from deadrelu.engine.network import SGD, Adam, Float, Network, Trained, Training
from deadrelu.engine.targets import Target
from deadrelu.engine.trials import cores, draw_weights, mean_loss, predict, run

__all__ = [
    "SGD",
    "Adam",
    "Float",
    "Network",
    "Stop",
    "Target",
    "Trained",
    "Training",
    "cores",
    "draw_weights",
    "mean_loss",
    "predict",
    "processor",
    "run",
]
