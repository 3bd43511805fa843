"""Read the MNIST digits from the four IDX files of the pipeline, and check the format of the files."""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deadrelu.errors import InputError

MAX_UNPACKED_BYTES = 16 + 60_000 * 28 * 28
"""Size of the largest unpacked file, in bytes."""

PIXELS = 784
"""Number of pixels of an image, 28 × 28."""

Images = npt.NDArray[np.uint8]


def read_images(path: Path) -> Images:
    """Read the images of an IDX file, shape (n, 28, 28), uint8."""
    return _read_idx(path, dimensions=3)


def read_labels(path: Path) -> Images:
    """Read the labels of an IDX file, shape (n,), uint8."""
    return _read_idx(path, dimensions=1)


def flat(images: Images) -> npt.NDArray[np.float32]:
    """Return images, shape (n, 28, 28), uint8, as inputs of the notebook's MLP, shape (n, 784), float32 from 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def read_test_set(folder: Path) -> tuple[Images, Images]:
    """Read the test images, shape (n, 28, 28), and their labels, shape (n,), both uint8."""
    return _read_set(folder, "t10k")


def read_training_set(folder: Path) -> tuple[Images, Images]:
    """Read the training images, shape (n, 28, 28), and their labels, shape (n,), both uint8."""
    return _read_set(folder, "train")


def _read_set(folder: Path, prefix: str) -> tuple[Images, Images]:
    images, labels = (folder / f"{prefix}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1"))
    pair = read_images(images), read_labels(labels)
    if len(pair[0]) != len(pair[1]):
        counts = f"{len(pair[0])} images and {len(pair[1])} labels"
        raise InputError(f"{labels}: received {counts}; expected: as many; `dvc repro --force data@mnist` fetches them")
    return pair


def _read_idx(path: Path, dimensions: int) -> Images:
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_UNPACKED_BYTES + 1)
        if len(content) > MAX_UNPACKED_BYTES:
            raise ValueError(f"more than {MAX_UNPACKED_BYTES} bytes")
        magic, *shape = struct.unpack_from(f">{1 + dimensions}I", content)
        if magic != 0x0800 + dimensions:
            raise ValueError(f"magic number {magic:#06x}; expected: {0x0800 + dimensions:#06x}")
        return np.frombuffer(content, np.uint8, offset=4 * (1 + dimensions)).reshape(shape)
    except FileNotFoundError:
        raise InputError(f"{path}: missing; `dvc repro data@mnist` fetches it") from None
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise InputError(f"{path}: not an MNIST file: {error}; `dvc repro --force data@mnist` fetches it") from None
