"""`deadrelu check` on a pipeline that ran: it holds still under other seeds, finds planted defects, refuses what is cut."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import write_small_params
from ruamel.yaml import YAML
from scipy import stats

from deadrelu import params, reference, regression, results
from deadrelu.regression import Verdict
from deadrelu.stages import activations, check, collapse, data_mnist, data_target, report, safe_region, training

REFERENCE = Path("reports/reference.json")


def run_all(settings: params.Params) -> None:
    """All stages here but the report's page, which shows and does not measure."""
    if not Path("data/mnist").exists():
        data_mnist.main(settings)
    data_target.main(settings)
    activations.main(settings)
    training.main(settings)
    for key in settings.collapse.cases:
        collapse.main(settings, key)
    safe_region.main(settings)
    report.write_numbers(results.read(settings), Path("reports"))


def with_seed(settings: params.Params, seed: int) -> params.Params:
    return settings.model_copy(update={"seed": seed})


def judge(settings: params.Params) -> regression.Comparison:
    """The comparison behind the command."""
    return check.Present.of(settings, results.read(settings)).beside(reference.read(REFERENCE))


def changes(comparison: regression.Comparison) -> set[str]:
    return {f"{f.stage}: {f.quantity}" for stage in comparison.stages for f in stage.findings if f.changed}


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with results that are accepted: few networks on MNIST, the narrow ones of the notebook in full."""
    folder = tmp_path_factory.mktemp("accepted")
    (folder / "reports").mkdir()
    write_small_params(folder / "params.yaml")
    yaml = YAML()
    small = yaml.load(folder / "params.yaml")
    small["data"]["target"]["points"] = 3000
    small["activations"]["cases"]["tanh-glorot_uniform"] = {
        "activation": "tanh",
        "initializer": {"name": "glorot_uniform"},
    }
    small["training"] |= {"examples": 200, "epochs": 2}
    del small["training"]["cases"]["cnn-zeros"]
    small["collapse"] |= {"trials": 1000, "epochs": 10}
    small["safe_region"]["networks"] = 10_000
    yaml.dump(small, folder / "params.yaml")
    here = Path.cwd()
    os.chdir(folder)
    digits, os.environ["MNIST_DIR"] = os.environ.get("MNIST_DIR"), ""
    try:
        settings = params.load()
        run_all(settings)
        assert check.main(settings, update=True, seeds=20, form="text") == 0
    finally:
        os.chdir(here)
        del os.environ["MNIST_DIR"]
        if digits is not None:
            os.environ["MNIST_DIR"] = digits
    yield folder


@pytest.fixture
def place(accepted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> params.Params:
    """A copy of it to work in; its params."""
    shutil.copytree(accepted, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return params.load()


def test_nothing_changed_is_identical(place: params.Params, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(place, update=False, seeds=None, form="text") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("identical: ")
    run_all(place)
    assert judge(place).verdict == Verdict.IDENTICAL


def test_200_other_seeds_raise_few_alarms(place: params.Params) -> None:
    """The whole chance of a false alarm is 1 %: more than 7 of 200 would come by it once in 1,000 times."""
    tree = place.model_dump()
    tree["collapse"]["trials"] = 250  # a fourth of the trials of the reference: comparable
    verdicts = []
    for seed in range(1000, 1200):
        other = params.Params.model_validate(tree | {"seed": seed})
        run_all(other)
        comparison = judge(other)
        assert comparison.hypotheses > 50
        verdicts.append(comparison.verdict)
    assert set(verdicts) <= {Verdict.CONSISTENT, Verdict.CHANGED}
    assert stats.binom.sf(7, 200, regression.ALPHA) < 0.002
    assert verdicts.count(Verdict.CHANGED) <= 7
