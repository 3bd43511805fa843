"""Test that the pipeline leaves the same bytes on this processor, run by DVC, and on others that are emulated."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.projects import tree

pytestmark = pytest.mark.without_digits

RUN = """
from deadrelu.report import build
from deadrelu.settings import params
from deadrelu.stages import activations, collapse, data_mnist, data_target, safe_region, sensitivity, training

settings = params.load()
for stage in (data_mnist, data_target, activations, training, safe_region):
    stage.main(settings)
for case in settings.collapse.cases:
    collapse.main(settings, case)
for table in settings.sensitivity:
    sensitivity.main(settings, table)
build.main(settings)
"""

OTHERS = {
    "an old one": {
        "DEADRELU_CPU": "generic",  # the trial engine's code
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX X86_V4 AVX2 FMA3 X86_V3",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Prescott",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
        "TF_NUM_INTRAOP_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "DASK_NUM_WORKERS": "1",
    },
    "one with AVX": {
        "DEADRELU_CPU": "nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX X86_V4 AVX2 FMA3 X86_V3",
        "ONEDNN_MAX_CPU_ISA": "AVX",
        "OPENBLAS_CORETYPE": "Sandybridge",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
    },
    "one with AVX2": {
        "DEADRELU_CPU": "haswell",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX X86_V4",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F",
        "DASK_NUM_WORKERS": "3",
    },
}
"""Processors, emulated by settings of the libraries that would otherwise choose their code by the present one."""


@pytest.mark.skipif(sys.platform != "linux", reason="plays other processors by settings of Linux's libraries")
@pytest.mark.parametrize(
    "name", [name if name == "an old one" else pytest.param(name, marks=pytest.mark.soak) for name in OTHERS]
)
def test_another_processor_leaves_the_same_bytes(name: str, pipeline: Path, tmp_path: Path) -> None:
    """This takes more than ten seconds, because all stages run, and TensorFlow on one thread for an old processor."""
    (tmp_path / "reports").mkdir()
    for file in ("params.yaml", "reports/report.ipynb"):
        shutil.copy(pipeline / file, tmp_path / file)
    environment = {name: value for name, value in os.environ.items() if name != "MNIST_DIR"} | OTHERS[name]
    subprocess.run([sys.executable, "-W", "ignore", "-c", RUN], cwd=tmp_path, env=environment, check=True, timeout=600)
    remade = {f"{part}/{path}": data for part in ("data", "reports") for path, data in tree(tmp_path / part).items()}
    here = {f"{part}/{path}": data for part in ("data", "reports") for path, data in tree(pipeline / part).items()}
    here = {path: data for path, data in here.items() if not path.endswith((".gitignore", "reference.json"))}
    assert here.keys() == remade.keys()
    assert [path for path in remade if here[path] != remade[path]] == []
    assert {"reports/executed.ipynb", "reports/report.html", "data/training/epochs.parquet"} <= remade.keys()
    assert {"data/targets/x_sin_x.parquet", "data/sensitivity/deep/trials.parquet"} <= remade.keys()
    assert len([path for path in remade if path.endswith(".png")]) > 10
