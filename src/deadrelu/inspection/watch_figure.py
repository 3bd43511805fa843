"""The figure of units that die while a model trains, drawn with matplotlib from the table of a `DeadUnitLog`."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deadrelu.report.figures.style import STYLE, message

MAX_LAYERS = 40
"""Maximum number of rows of the figure; if there are more layers, those with the largest shares are shown."""


def dead_units_by_epoch(table: pd.DataFrame) -> Figure:
    """Draw the share of dead units, with a row for each layer and a column for each epoch.

    Args:
        table: one row for each epoch and layer, with the columns epoch, layer, units and dead_units (a number).
    """
    if table.empty:
        return message("No epoch has ended: there is nothing to draw.")
    share = table.assign(share=table["dead_units"] / table["units"])
    grid = share.pivot_table(index="layer", columns="epoch", values="share", aggfunc="last", sort=False)
    if len(grid) > MAX_LAYERS:
        worst = grid.max(axis=1).nlargest(MAX_LAYERS).index
        grid = grid[grid.index.isin(worst)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.6 + 0.3 * len(grid)), layout="constrained")
        ax = figure.subplots()
        epochs = grid.columns.to_numpy(float)
        edges = np.append(epochs - 0.5, epochs[-1] + 0.5)
        mesh = ax.pcolormesh(edges, np.arange(len(grid) + 1), 100 * grid.to_numpy(), vmin=0, vmax=100, cmap="magma_r")
        ax.set_yticks(np.arange(len(grid)) + 0.5, grid.index, parse_math=False)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.invert_yaxis()
        ax.set_xlabel("epoch")
        figure.colorbar(mesh, label="dead units, %")
    return figure
