"""data@mnist: the four files, and where they came from."""

import json
from pathlib import Path

from deadrelu import files, mnist
from deadrelu.params import Params

FOLDER = Path("data/mnist")


def main(params: Params) -> None:
    """Write `data/mnist/`."""
    with files.new_folder(FOLDER) as folder:
        source = mnist.fetch(folder, params.data.mnist.source)
        (folder / "source.json").write_text(json.dumps({"source": source}) + "\n", encoding="utf-8")
