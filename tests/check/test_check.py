"""Test `deadrelu check` on real results: it accepts other seeds, finds planted defects, and refuses cut files."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import projects
from helpers.commands import COMMAND, deadrelu, refused
from helpers.projects import ROOT, run_all, tree
from scipy import stats

from deadrelu import engine
from deadrelu.analysis import load, summaries
from deadrelu.check import command, compare, reference, spread
from deadrelu.check.compare import Verdict
from deadrelu.check.comparisons import Method
from deadrelu.engine import initializers, targets
from deadrelu.errors import InputError
from deadrelu.jobs import trials
from deadrelu.settings import params
from deadrelu.settings.initializer import FanScaled
from deadrelu.signals import networks
from deadrelu.stages import data_mnist, data_target, safe_region, sensitivity, training
from deadrelu.storage import tables, versions

REFERENCE = Path("reports/reference.json")


def with_seed(settings: params.Params, seed: int) -> params.Params:
    return settings.model_copy(update={"seed": seed})


def judge(settings: params.Params) -> compare.Comparison:
    """Return the comparison that the command reports."""
    return command.Present.from_results(settings, load.read(settings)).compared_with(reference.read(REFERENCE))


def changes(comparison: compare.Comparison) -> set[str]:
    return {f"{f.stage}: {f.quantity}" for stage in comparison.stages for f in stage.findings if f.changed}


Trainer, TRAINERS = training.Trainer, dict[str, Any]()


def trainer_of(model: Any) -> Any:
    """Return a trainer for each kind of network, compiled once; its trainings depend on their arguments alone."""
    layers = [{k: v for k, v in layer.get_config().items() if "initializer" not in k} for layer in model.layers]
    described = str([{**config, "name": ""} for config in layers])
    if described not in TRAINERS:
        TRAINERS[described] = Trainer(model)
    return TRAINERS[described]


@pytest.fixture
def place(pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> params.Params:
    """Copy accepted results (few networks on MNIST, all narrow ones), enter the copy, and return its params."""
    for name in ("data", "reports"):
        shutil.copytree(pipeline / name, tmp_path / "place" / name)
    shutil.copy(pipeline / "params.yaml", tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    monkeypatch.setattr(training, "Trainer", trainer_of)
    monkeypatch.delenv("MNIST_DIR", raising=False)
    return params.load()


def test_nothing_changed_is_identical(place: params.Params, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(place, update=False, seeds=None, form="text") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("identical: ")
    run_all(place)
    assert judge(place).verdict == Verdict.IDENTICAL


def verdicts_under(seeds: range, place: params.Params) -> list[Verdict]:
    """Run all stages of the same science again under each seed, and return the verdicts."""
    tree = place.model_dump()
    tree["collapse"]["trials"] = 250  # a fourth of the reference's trials, which are still comparable
    verdicts = []
    for seed in seeds:
        other = params.Params.model_validate(tree | {"seed": seed})
        run_all(other)
        comparison = judge(other)
        assert comparison.hypotheses > 50
        verdicts.append(comparison.verdict)
    return verdicts


def test_other_seeds_are_consistent(place: params.Params) -> None:
    assert verdicts_under(range(1000, 1003), place) == [Verdict.CONSISTENT] * 3


@pytest.mark.soak
def test_200_other_seeds_raise_few_alarms(place: params.Params) -> None:
    """The probability of any false alarm is 1 %, so that chance gives more than 7 of 200 once in 1,000 times."""
    verdicts = verdicts_under(range(1000, 1200), place)
    assert set(verdicts) <= {Verdict.CONSISTENT, Verdict.CHANGED}
    assert stats.binom.sf(7, 200, compare.ALPHA) < 0.002
    assert verdicts.count(Verdict.CHANGED) <= 7


Plant = Callable[[pytest.MonkeyPatch], None]


def networks_with(change: Callable[[engine.Network], dict[str, Any]]) -> Plant:
    """Return a plant that gives the engine another network than the settings and the tables state."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for module, name in ((engine, "run"), (engine, "predict"), (trials, "first_dead_layer")):
            patch.setattr(module, name, with_other_network(getattr(module, name)))

    def with_other_network(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda network, *more, **named: function(replace(network, **change(network)), *more, **named)

    return plant


def twice_the_slope(network: engine.Network) -> dict[str, Any]:
    return {"negative_slope": 2 * network.negative_slope}


def larger_epsilon(patch: pytest.MonkeyPatch) -> None:
    run = engine.run

    def with_other_training(network: engine.Network, training: engine.Training, *more: Any, **named: Any) -> Any:
        if isinstance(training.optimizer, engine.Adam):
            training = replace(training, optimizer=replace(training.optimizer, epsilon=1e-3))
        return run(network, training, *more, **named)

    patch.setattr(engine, "run", with_other_training)


def glorot_for_he(patch: pytest.MonkeyPatch) -> None:
    def other(initializer: Any) -> Any:
        return FanScaled(name="glorot_normal") if getattr(initializer, "name", "") == "he_normal" else initializer

    mlp, sampler = networks.mlp, initializers.sampler
    patch.setattr(networks, "mlp", lambda depth, width, act, init, **more: mlp(depth, width, act, other(init), **more))
    patch.setattr(initializers, "sampler", lambda initializer: sampler(other(initializer)))
    names = ("initialize", "initialize_first", "initialize_last")
    networks_with(lambda network: {name: other(getattr(network, name)) for name in names})(patch)


def one_layer_fewer(patch: pytest.MonkeyPatch) -> None:
    networks_with(lambda network: {"widths": network.widths[:-1]})(patch)


def one_layer_fewer_on_mnist(patch: pytest.MonkeyPatch) -> None:
    mlp = networks.mlp
    patch.setattr(networks, "mlp", lambda depth, *more, **named: mlp(depth - 1, *more, **named))


def shifted_by(step: float) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        sample = targets.Target.sample

        def shifted(self: targets.Target, seed: int) -> Any:
            x, y = sample(self, seed)
            return x, y + np.float32(step)

        patch.setattr(targets.Target, "sample", shifted)

    return plant


def swapped(first: str, second: str) -> Plant:
    """Return a plant that swaps the names of two cases in the results."""

    def swap(cases: dict[str, Any]) -> dict[str, Any]:
        return {**cases, first: cases[second], second: cases[first]} if {first, second} <= cases.keys() else cases

    def plant(patch: pytest.MonkeyPatch) -> None:
        collapse_of, beside_theory = load._collapse, summaries.beside_theory

        def signals_swapped(signals: Any, *others: Any) -> Any:
            return beside_theory(signals.replace({"case": {first: second, second: first}}), *others)

        patch.setattr(load, "_collapse", lambda settings: tuple(map(swap, collapse_of(settings))))
        patch.setattr(summaries, "beside_theory", signals_swapped)

    return plant


DEFECTS: dict[str, tuple[Plant, str, str]] = {
    "slope 0.2 for 0.1": (
        networks_with(twice_the_slope),
        "collapse@leaky_relu: collapsed",
        "",
    ),
    "Glorot for He": (glorot_for_he, "activations: relu-he_normal.layer_3.input_std", "the same"),
    "one layer fewer, narrow": (one_layer_fewer, "collapse@relu: born_dead", ""),
    "one layer fewer, on MNIST": (one_layer_fewer_on_mnist, "activations: relu-he_normal.layer_3.std", "the same"),
    "Adam's epsilon 1e-3": (
        larger_epsilon,
        "collapse@leaky_relu: collapsed",
        "the same",
    ),
    "ReLU and Leaky ReLU swapped": (
        swapped("relu", "leaky_relu"),
        "collapse@relu: born_dead",
        "the same",
    ),
    "tanh and ReLU swapped": (
        swapped("tanh-glorot_normal", "relu-he_normal"),
        "activations: relu-he_normal.layer_3.zero_fraction",
        "the same",
    ),
    "Glorot normal and uniform swapped": (swapped("tanh-glorot_normal", "tanh-glorot_uniform"), "report", "nothing"),
    "y shifted by 0.001": (shifted_by(1e-3), "data@target: x_sin_x.y_mean", "nothing"),
    "y shifted by 0.1": (shifted_by(0.1), "data@target: x_sin_x.y_mean", "the same"),
}
"""The plant, what finds it with the seed of the reference, and with another seed (empty: by chance, if at all).

The table in docs/check.md lists the same defects, with reasons.
"""


MNIST_STAGES, ENGINE_STAGES = ("activations", "training"), ("collapse", "safe_region", "sensitivity")
REACHES = {
    "slope 0.2 for 0.1": ENGINE_STAGES,
    "one layer fewer, narrow": ENGINE_STAGES,
    "one layer fewer, on MNIST": MNIST_STAGES,
    "Adam's epsilon 1e-3": ENGINE_STAGES,
    "ReLU and Leaky ReLU swapped": (),
    "tanh and ReLU swapped": (),
    "Glorot normal and uniform swapped": (),
    "y shifted by 0.001": ("data_target", *ENGINE_STAGES),
    "y shifted by 0.1": ("data_target", *ENGINE_STAGES),
}
"""Stages that a defect can change, if these are not all; the others would make the same tables again."""


@pytest.mark.without_digits
@pytest.mark.parametrize("name", DEFECTS)
def test_planted_defect_is_found(name: str, place: params.Params, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, finds, _ = DEFECTS[name]
    plant(monkeypatch)
    run_all(place, REACHES.get(name, projects.STAGES))
    comparison = judge(place)
    assert comparison.verdict == Verdict.CHANGED
    assert finds in changes(comparison) | {s.stage for s in comparison.stages if s.verdict == Verdict.CHANGED}


@pytest.mark.without_digits
@pytest.mark.parametrize("name", [name for name, (_, _, other) in DEFECTS.items() if other])
def test_planted_defect_under_another_seed(name: str, place: params.Params, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, finds, other = DEFECTS[name]
    plant(monkeypatch)
    settings = with_seed(place, 11)
    run_all(settings)
    wanted = finds if other in ("the same", "nothing") else other
    assert (wanted in changes(judge(settings))) == (other != "nothing")


def test_the_document_says_of_each_defect_whether_it_is_found() -> None:
    """The table in docs/check.md has one row for each defect, with the result that the tests above demand."""
    table = (ROOT / "docs" / "check.md").read_text().split("| Planted defect |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert [name for name, *_ in rows] == [name[0].upper() + name[1:] for name in DEFECTS]
    begins = {"": "not sure to be found", "nothing": "not found", "the same": "found"}
    for (_, same_seed, another_seed), (_, _, other) in zip(rows, DEFECTS.values(), strict=True):
        assert same_seed.startswith("found: ")
        assert another_seed.startswith(begins[other])


def test_update_shows_what_it_changes_and_accepts_it(
    place: params.Params, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = reference.read(REFERENCE)
    networks_with(twice_the_slope)(monkeypatch)
    run_all(place)
    assert command.main(place, update=False, seeds=None, form="text") == 1
    assert command.main(place, update=True, seeds=None, form="md") == 0
    output = capsys.readouterr().out
    assert "**changed: collapse@leaky_relu" in output
    after = reference.read(REFERENCE)
    counts = [r.stages["collapse@leaky_relu"].counts["collapsed"].count for r in (before, after)]
    assert counts[0] > counts[1] + 30
    # What did not change keeps its spread.
    for stage in ("activations", "training"):
        assert after.stages[stage] == before.stages[stage]
    assert command.main(place, update=False, seeds=None, form="json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "identical"


def test_update_measures_a_spread_anew_where_it_must(place: params.Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "SEEDS", 5)
    glorot_for_he(monkeypatch)
    run_all(place)
    assert command.main(place, update=True, seeds=None, form="text") == 0
    assert judge(place).verdict == Verdict.IDENTICAL
    record = reference.read(REFERENCE).stages["activations"]
    assert record.seeds == spread.SEEDS
    name = "relu-he_normal.layer_3.input_std"
    values = [
        spread.MEASURE["activations"](with_seed(place, place.seed + k), {})[name] for k in range(1, spread.SEEDS + 1)
    ]
    assert record.spread[name].log
    assert record.spread[name].mean == pytest.approx(np.mean(np.log(values)), rel=1e-9)
    assert record.spread[name].sd == pytest.approx(np.std(np.log(values), ddof=1), rel=1e-9)


def test_spread_of_shares_and_of_what_can_be_0_is_linear() -> None:
    assert spread.spread_of("a.validation_accuracy", np.array([0.5, 0.6])).log is False
    assert spread.spread_of("a.layer_1.std", np.array([0.0, 0.6])).log is False
    assert spread.spread_of("a.layer_1.std", np.array([0.1, 0.6])).log is True


def test_interrupted_update_leaves_the_reference(place: params.Params, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(Path())

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(spread.MEASURE, "training", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.main(place, update=True, seeds=3, form="text")
    assert tree(Path()) == before


def test_other_settings_exit_with_2_and_a_line_that_says_which(place: params.Params) -> None:
    file = Path("params.yaml")
    file.write_text(file.read_text().replace("negative_slope: 0.1", "negative_slope: 0.2", 1))
    assert "made by other params" in refused("check")
    run_all(params.load())
    done = deadrelu("check", "--md")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "not comparable: network.negative_slope is 0.2, 0.1 in the reference: collapse@leaky_relu" in done.stderr
    assert "| collapse@relu | identical |" in done.stdout


def cut(path: str) -> Callable[[], None]:
    return lambda: Path(path).write_bytes(Path(path).read_bytes()[: Path(path).stat().st_size // 2])


def edited(path: str, old: str, new: str) -> Callable[[], None]:
    def edit() -> None:
        text = Path(path).read_text()
        assert text.count(old) >= 1
        Path(path).write_text(text.replace(old, new, 1))

    return edit


BAD: dict[str, tuple[Callable[[], None], str]] = {
    "no reference": (
        REFERENCE.unlink,
        "reference.json: missing; `deadrelu check --update` accepts the present results",
    ),
    "cut reference": (cut("reports/reference.json"), "reference.json: not readable JSON"),
    "edited reference": (edited("reports/reference.json", '"seed": 10', '"seed": 11'), "edited by hand or cut"),
    "other schema": (edited("reports/reference.json", '"schema": 1', '"schema": 2'), "received schema 2; expected: 1"),
    "no metrics": (Path("reports/metrics.json").unlink, "metrics.json: missing; `dvc repro` makes it"),
    "cut metrics": (cut("reports/metrics.json"), "metrics.json: not readable JSON"),
    "edited metrics": (
        edited("reports/metrics.json", '"trials": 1000', '"trials": 999'),
        "collapse.relu.trials: received 999; data/ says 1000",
    ),
    "metrics laid out otherwise": (edited("reports/metrics.json", "{", "{ "), "its layout"),
    "metrics of another kind": (
        lambda: Path("reports/metrics.json").write_text("[]"),
        "metrics.json: data.mnist.source: received None",
    ),
    "edited table": (
        edited("reports/tables/collapse_rates.csv", "1000", "999"),
        "collapse_rates.csv: not what data/ says",
    ),
    "no table": (Path("reports/tables/born_dead.csv").unlink, "born_dead.csv: missing; `dvc repro` makes it"),
    "no trials": (lambda: shutil.rmtree("data/collapse/relu"), "data/collapse/relu: no part-*.parquet; `dvc repro`"),
    "cut trials": (cut("data/collapse/relu/part-000000.parquet"), "not a readable Parquet file"),
    "no signals": (Path("data/activations/summary.parquet").unlink, "summary.parquet: missing; `dvc repro` makes it"),
    "no networks": (Path("data/activations/networks.parquet").unlink, "networks.parquet: missing; `dvc repro`"),
    "no history": (Path("data/collapse/relu/history.parquet").unlink, "history.parquet: missing; `dvc repro`"),
    "no variations": (lambda: shutil.rmtree("data/sensitivity/deep"), "sensitivity/deep/trials.parquet: missing"),
    "cut variations": (cut("data/sensitivity/rai/trials.parquet"), "rai/trials.parquet: not a readable Parquet file"),
    "variations of another seed": (
        lambda: sensitivity.main(with_seed(params.load(), 11), "deep"),
        "deep/trials.parquet: made by other params than those in params.yaml; run `dvc repro`",
    ),
    "cells of another seed": (
        lambda: safe_region.main(with_seed(params.load(), 11)),
        "born_dead.parquet: made by other params than those in params.yaml; run `dvc repro`",
    ),
    "no points": (Path("data/targets/x_sin_x.parquet").unlink, "x_sin_x.parquet: missing; `dvc repro` makes it"),
    "points of another seed": (
        lambda: data_target.main(with_seed(params.load(), 11)),
        "x_sin_x.parquet: made by other params than those in params.yaml; run `dvc repro`",
    ),
    "no digits": (lambda: shutil.rmtree("data/mnist"), "source.json: cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_line(name: str, place: params.Params) -> None:
    spoil, message = BAD[name]
    spoil()
    before = tree(Path())
    assert message in refused("check")
    if "reference" not in name and name != "other schema":
        assert message in refused("check", "--update")
    assert tree(Path()) == before


def test_other_digits_are_told_with_what_fetches_them(place: params.Params) -> None:
    """A reference with the official digits cannot be compared with a run without them."""
    accepted = reference.read(REFERENCE)
    official = accepted.origin.model_copy(update={"mnist": "official"})
    reference.write(accepted.model_copy(update={"origin": official}), REFERENCE)
    assert refused("check") == (
        "deadrelu: reports/reference.json: not comparable: bundled digits, official ones in the reference: "
        f"data@mnist, activations, training, report; expected: `{data_mnist.REMEDY}` fetches the official digits; "
        "`deadrelu check --update` accepts the present results\n"
    )
    assert judge(place).verdict == Verdict.NOT_COMPARABLE


def test_tables_of_other_packages_are_told(
    place: params.Params, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """DVC reruns nothing when a package changes, so that results may be those of another version."""
    assert judge(place).stale == []
    installed = versions._version
    made_with = installed("llvmlite")
    monkeypatch.setattr(versions, "_version", lambda name: "99" if name in ("llvmlite", "keras") else installed(name))
    comparison = judge(place)
    keras = installed("keras")
    assert comparison.stale == [
        *(f"data@target (llvmlite {made_with})", f"activations (keras {keras})", f"training (keras {keras})"),
        *(f"collapse@{key} (llvmlite {made_with})" for key in place.collapse.cases),
        f"safe_region (llvmlite {made_with})",
        *(f"sensitivity@{key} (llvmlite {made_with})" for key in place.sensitivity),
    ]
    assert comparison.verdict == Verdict.IDENTICAL
    assert command.main(place, update=False, seeds=None, form="md") == 0
    assert f"Not rerun with the installed packages: {', '.join(comparison.stale)}." in capsys.readouterr().out


def test_cells_and_variations_are_compared_trial_by_trial(place: params.Params) -> None:
    """A reference also keeps the outcome of each trial of cells and of variations."""
    methods = {f"{f.stage}: {f.quantity}": f.method for stage in judge(place).stages for f in stage.findings}
    cell = "trained.glorot_uniform.width_2.depth_3"
    for name in (f"safe_region: {cell}.collapsed", f"safe_region: {cell}.dead", "sensitivity@deep: deeper.born_dead"):
        assert methods[name] == Method.PAIRED
    record = reference.read(REFERENCE).stages["sensitivity@deep"].counts["deeper.collapsed"].as_count()
    table = tables.VARIATIONS.read(sensitivity.settings(place, "deep"), "deep")
    ranges = table[table["variation"] == "deeper"]["range"].to_numpy()
    np.testing.assert_array_equal(record.outcomes, ranges <= 0.001)


def test_update_replaces_a_reference_that_cannot_be_read(place: params.Params) -> None:
    good = reference.read(REFERENCE)
    cut("reports/reference.json")()
    assert command.main(place, update=True, seeds=3, form="text") == 0
    again = reference.read(REFERENCE)
    assert again.origin == good.origin
    assert again.stages["activations"].seeds == 3
    assert again.stages["collapse@relu"] == good.stages["collapse@relu"]


def test_update_measures_a_spread_that_is_not_there(place: params.Params) -> None:
    accepted = reference.read(REFERENCE)
    points = accepted.stages["data@target"].model_copy(update={"seeds": 0, "spread": {}})
    reference.write(accepted.model_copy(update={"stages": {**accepted.stages, "data@target": points}}), REFERENCE)
    assert command.main(place, update=True, seeds=None, form="text") == 0
    again = reference.read(REFERENCE)
    assert again == accepted
    assert again.stages["data@target"].seeds == 20
    assert set(again.origin.versions) == {*versions.KERAS_PACKAGES, "llvmlite", "scipy", "python"}


def test_a_place_that_cannot_be_written_costs_no_minutes(place: params.Params, monkeypatch: pytest.MonkeyPatch) -> None:
    REFERENCE.unlink()
    REFERENCE.mkdir()
    monkeypatch.setitem(spread.MEASURE, "activations", lambda *_: pytest.fail("measured"))
    for update in (True, False):
        with pytest.raises(InputError, match=r"reference\.json: received a folder; expected: a file"):
            command.main(place, update=update, seeds=None, form="text")


@pytest.mark.parametrize("options", [[], ["--json"], ["--md"]])
def test_verdict_stands_where_nobody_reads_on(place: params.Params, options: list[str]) -> None:
    command = shlex.join([*COMMAND, "check", *options])
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_options_that_contradict_are_refused(place: params.Params) -> None:
    assert "--json --md: received both" in refused("check", "--json", "--md")
    assert "--seeds: received 5; expected: together with --update" in refused("check", "--seeds", "5")
