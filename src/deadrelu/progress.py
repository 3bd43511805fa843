"""A progress bar on stderr that shows the rate and the time left, for work of seconds to hours."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Return the rate of a task, such as '410/s', or an empty text if it is not known yet."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


@contextmanager
def rate_and_time_left() -> Iterator[Progress]:
    """Yield a bar that is shown within the context; without a terminal, only its last state is printed, on success."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        try:
            yield bar
        except BaseException:
            bar.console.quiet = not bar.console.is_terminal
            raise
