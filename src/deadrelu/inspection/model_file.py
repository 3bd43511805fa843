"""Loading of Keras models from untrusted files, without running code from them."""

import io
import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deadrelu.errors import InputError

MAX_UNPACKED_BYTES = 8 * 2**30
"""Maximum number of bytes that a model file may unpack to."""

LARGEST_CONFIG = 64 * 2**20
ALLOWED = "expected: a .keras file, as model.save('model.keras') writes it"

OTHER_FILES = {
    **dict.fromkeys(
        (".pt", ".pth", ".ckpt", ".bin"),
        "is a pickle, which can run any code when it is loaded, and has weights but no layers; expected, in Python: "
        "model.load_state_dict(torch.load('{name}', weights_only=True)); print(deadrelu.inspect(model, inputs))",
    ),
    ".safetensors": "has weights but no layers; expected, in Python: model.load_state_dict("
    "safetensors.torch.load_file('{name}')); print(deadrelu.inspect(model, inputs))",
    ".onnx": "has no gradients, without which no verdict holds; expected: the Keras or PyTorch model behind it",
}
"""For the suffixes of other model files, the reason why these are refused, and what to do instead."""

RUN_CODE = {
    "__lambda__": "a lambda is Python code, which loading would run",
    "Lambda": "a Lambda layer holds Python code, which loading would run",
    "TFSMLayer": "a TFSMLayer runs a TensorFlow program from another file",
    "TorchModuleWrapper": "a TorchModuleWrapper is unpickled, which can run any code",
    "FlaxLayer": "a FlaxLayer holds Python code, which loading would run",
    "JaxLayer": "a JaxLayer holds Python code, which loading would run",
}


def load(path: Path) -> Any:
    """Load the Keras model of a file, without its optimizer and loss.

    The description of the model is first read as text, to refuse classes that run code, and classes that Keras does not
    ship, before Keras reads the file in its safe mode. No memory is allocated for weights that the file declares but
    does not contain.

    Raises:
        InputError: the file is missing, too large, damaged or refused.
    """
    config = _config(path)
    for part in _classes(config):
        name, module = str(part["class_name"]), str(part.get("module") or "")
        if name in RUN_CODE:
            raise InputError(f"{path}: {_where(part)}: {RUN_CODE[name]}; {ALLOWED}, of layers that Keras ships")
        if module and module.split(".")[0] not in ("keras", "builtins"):
            raise InputError(
                f"{path}: {_where(part)}: {module}.{name} is not a class of Keras; expected: classes of Keras, or load "
                "the model yourself and call deadrelu.inspect(model, inputs)"
            )
    import keras

    try:
        try:
            with keras.StatelessScope(initialize_variables=False):  # allocates no weights
                declared = keras.saving.deserialize_keras_object(config, safe_mode=True).count_params()
        finally:
            keras.utils.clear_session(free_memory=False)  # otherwise the next model would allocate these weights
        held = _numbers_held(path)
        if declared > 4 * held + 1_000_000:  # several quantized weights may share a byte
            raise InputError(f"{path}: its layers declare {declared:,} weights, it holds {held:,}; {ALLOWED}")
        with warnings.catch_warnings(action="ignore"):  # Keras warns of paths in the archive that it ignores
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except InputError:
        raise
    except Exception as error:  # Keras has no class of its own for files that it cannot load
        raise InputError(
            f"{path}: Keras cannot load it: {_reason(error)}; {ALLOWED} with this version of Keras"
        ) from None


def _reason(error: Exception) -> str:
    """Return an error message, shortened to its first and last 160 characters if it is long."""
    words = " ".join(str(error).split())
    return words if len(words) < 320 else f"{words[:160]} … {words[-160:]}"


def _config(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: received no file; {ALLOWED}")
        if path.suffix in OTHER_FILES:
            raise InputError(f"{path}: {OTHER_FILES[path.suffix].format(name=path.name)}")
        if path.suffix != ".keras":
            raise InputError(f"{path}: received a name that ends with {path.suffix!r}; {ALLOWED}")
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member.file_size for member in archive.infolist()}
            size = sum(members.values())
            if size > MAX_UNPACKED_BYTES:
                raise InputError(f"{path}: unpacks to {size:,} bytes; expected: {MAX_UNPACKED_BYTES:,}")
            if (config_bytes := members.get("config.json", 0)) > LARGEST_CONFIG:
                raise InputError(f"{path}: config.json unpacks to {config_bytes:,} bytes; expected: {LARGEST_CONFIG:,}")
            config = json.loads(archive.read("config.json"))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; {ALLOWED}") from None
    except KeyError:
        raise InputError(f"{path}: received an archive of {', '.join(members) or 'nothing'}; {ALLOWED}") from None
    except InputError:
        raise
    except Exception as error:  # the errors of zipfile and zlib share no base class
        raise InputError(f"{path}: not a model file: {error}; {ALLOWED}") from None
    if not isinstance(config, dict) or "class_name" not in config:
        raise InputError(f"{path}: received a config.json that describes no model; {ALLOWED}")
    # Nothing is built from the descriptions of optimizer and loss, so that these may have any class.
    return {key: value for key, value in config.items() if key != "compile_config"}


def _numbers_held(path: Path) -> int:
    """Return the count of numbers in the weights of a model file; refuse weights that are missing or in other files."""
    import h5py

    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    held = 0
    with h5py.File(content, "r") as file:
        groups = [file]
        while groups:
            group = groups.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise InputError(f"{path}: its weights hold a link, {name}; {ALLOWED}")
                item = group[name]
                if isinstance(item, h5py.Group):
                    groups.append(item)
                elif item.external or item.is_virtual or item.id.get_storage_size() < item.nbytes:
                    raise InputError(f"{path}: its weights declare more than they hold, in {name}; {ALLOWED}")
                else:
                    held += item.size
    return held


def _classes(config: Any) -> Iterator[dict[str, Any]]:
    """Yield each description of an object, a dictionary with a `class_name`, at any depth of a config."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "class_name" in part:
                yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _where(part: dict[str, Any]) -> str:
    inner = part.get("config")
    name = inner.get("name") if isinstance(inner, dict) else part.get("name")
    return f"layer {name}" if name else "config.json"
