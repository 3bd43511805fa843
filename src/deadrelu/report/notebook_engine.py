"""Provide an engine for papermill without a kernel: the cells of a notebook run in this process.

This process has already imported the packages; a kernel would take several times as long to import them as cells run.
"""

import tempfile
from typing import Any

from papermill.engines import Engine, papermill_engines

NAME = "in-process"


def register() -> None:
    """Register the engine with papermill by its `NAME`."""
    papermill_engines.register(NAME, InProcess)


class InProcess(Engine):  # type: ignore[misc]
    """Engine of papermill that runs cells with IPython in this process; outputs are like those of a kernel."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> None:
        """Run the cells of the notebook manager `nb_man` in order, up to the first error, which papermill raises."""
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        with tempfile.TemporaryDirectory(prefix="deadrelu-") as folder:
            config = Config()
            config.HistoryManager.enabled = False
            config.InteractiveShell.ipython_dir = folder  # leaves nothing in the home folder
            config.InteractiveShell.colors = "nocolor"
            shell = InteractiveShell.instance(config=config)
            try:
                for index, cell in enumerate(nb_man.nb.cells):
                    nb_man.cell_start(cell, index)
                    if cell.cell_type == "code" and not _run(shell, cell):
                        nb_man.cell_exception(cell, index)
                        break
                    nb_man.cell_complete(cell, index)
            finally:
                InteractiveShell.clear_instance()


def _run(shell: Any, cell: Any) -> bool:
    """Run a cell in an IPython shell, store its outputs in the cell, and return whether it ended without an error."""
    from IPython.utils.capture import capture_output
    from nbformat.v4 import new_output

    with capture_output() as captured:
        result = shell.run_cell(cell.source, store_history=True)
    error = result.error_before_exec or result.error_in_exec
    if isinstance(error, KeyboardInterrupt):
        raise error
    texts = (("stdout", captured.stdout if error is None else ""), ("stderr", captured.stderr))
    cell.outputs = [new_output("stream", name=name, text=text) for name, text in texts if text]
    cell.outputs += [new_output("display_data", output.data, metadata=output.metadata) for output in captured.outputs]
    if error is not None:
        traceback = shell.InteractiveTB.stb2text(
            shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
        )
        cell.outputs.append(
            new_output("error", ename=type(error).__name__, evalue=str(error), traceback=traceback.splitlines())
        )
    return error is None
