"""A progress bar with rate and time left, on stderr, for work of seconds to hours."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Return the rate of a task, such as '410/s'."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


@contextmanager
def rate_and_time_left() -> Iterator[Progress]:
    """Show a bar while open; without a terminal, print only its last state, and nothing if the work fails."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        try:
            yield bar
        except BaseException:
            bar.console.quiet = not bar.console.is_terminal
            raise
