"""The pipeline leaves the same bytes on every processor: run as this one, and once more as an old one on one thread."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, write_small_params

RUN = """
from deadrelu.report import build
from deadrelu.settings import params
from deadrelu.stages import activations, collapse, data_mnist, data_target, safe_region, training

settings = params.load()
for stage in (data_mnist, data_target, activations, training, safe_region):
    stage.main(settings)
for case in settings.collapse.cases:
    collapse.main(settings, case)
build.main(settings)
"""

AN_OLD_ONE = {
    "DEADRELU_CPU": "generic",  # the trial engine's code
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX X86_V4 AVX2 FMA3 X86_V3",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Prescott",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
    "TF_NUM_INTRAOP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "DASK_NUM_WORKERS": "1",
}


def made(folder: Path, env: dict[str, str]) -> dict[str, bytes]:
    """Every file of data and reports, after all stages have run in a folder."""
    (folder / "reports").mkdir(parents=True)
    shutil.copy(ROOT / "reports" / "report.ipynb", folder / "reports")
    write_small_params(folder / "params.yaml")
    environment = {name: value for name, value in os.environ.items() if name != "MNIST_DIR"} | env
    subprocess.run([sys.executable, "-W", "ignore", "-c", RUN], cwd=folder, env=environment, check=True, timeout=600)
    paths = [path for name in ("data", "reports") for path in (folder / name).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.skipif(sys.platform != "linux", reason="plays an old processor by settings of Linux's libraries")
def test_an_old_processor_leaves_the_same_bytes(tmp_path: Path) -> None:
    here, there = made(tmp_path / "here", {}), made(tmp_path / "there", AN_OLD_ONE)
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []
    assert {"reports/executed.ipynb", "reports/report.html", "data/training/epochs.parquet"} <= here.keys()
    assert len([name for name in here if name.endswith(".png")]) > 10
