"""Draw the figures of the benchmarks, over trials and over sizes, from tables."""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from deadrelu.report.figures.style import MUTED, PALETTE, STYLE, wrapped


def scale(table: pd.DataFrame, limit: int, about: str) -> Figure:
    """Draw throughput and peak memory over the number of trials.

    Args:
        table: columns trials, per_second, peak_bytes.
        limit: bytes that memory must stay under.
        about: description of the measurement and of the machine.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        rate, memory = figure.subplots(1, 2)
        rate.plot(table["trials"], table["per_second"], color=PALETTE[0], marker="o")
        rate.set_title("Trials a second")
        rate.set_ylim(0, 1.25 * table["per_second"].max())
        rate.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        memory.plot(table["trials"], table["peak_bytes"] / 2**30, color=PALETTE[0], marker="o")
        memory.axhline(limit / 2**30, color=MUTED, linestyle="--", linewidth=1)
        memory.annotate(
            "limit", (1, limit / 2**30), (0, 4), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right", color=MUTED,
        )  # fmt: skip
        memory.set_title("Memory at its peak, GiB")
        memory.set_ylim(0, 1.15 * max(limit, table["peak_bytes"].max()) / 2**30)
        for ax in (rate, memory):
            ax.set_xscale("log")
            ax.set_xticks(table["trials"], [f"{n:,}" for n in table["trials"]])
            ax.xaxis.set_minor_locator(NullLocator())
            ax.grid(visible=False, axis="x")
        figure.supxlabel(wrapped(f"trials: {about}", 120), fontsize=10, color=MUTED)
    return figure


def sizes(table: pd.DataFrame, about: str) -> Figure:
    """Draw the time per weight, and the time to compile programs, over width.

    Args:
        table: columns depth, width, ns (per trial, weight and point), compile_s.
        about: description of the machine.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        cost, wait = figure.subplots(1, 2)
        for ax, column in ((cost, "ns"), (wait, "compile_s")):
            for (depth, rows), color in zip(table.groupby("depth"), PALETTE, strict=False):
                ax.plot(rows["width"], rows[column], color=color, marker="o", label=f"{depth} hidden layers")
            ax.set_xscale("log", base=2)
            widths = sorted(table["width"].unique())
            ax.set_xticks(widths, [str(width) for width in widths])
            ax.xaxis.set_minor_locator(NullLocator())
            ax.grid(visible=False, axis="x")
        cost.set_title("Nanoseconds per trial, weight and point")
        cost.set_yscale("log")
        cost.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        cost.yaxis.set_minor_locator(NullLocator())
        cost.legend(frameon=False)
        wait.set_title("Seconds to compile")
        wait.set_ylim(0, 1.25 * table["compile_s"].max())
        figure.supxlabel(
            wrapped(f"units in each layer; ReLU networks with biases, {about}", 120), fontsize=10, color=MUTED
        )
    return figure
