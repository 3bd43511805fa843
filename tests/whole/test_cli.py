"""Test the command line as users see it: help, one line and exit 2 on wrong input, and Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.commands import COMMAND, deadrelu, in_a_process, refused
from helpers.projects import tree, wait_until
from ruamel.yaml import YAML

from deadrelu import __main__, cli
from deadrelu.stages import data_target


def test_help_names_every_command() -> None:
    shown = deadrelu("--help").stdout
    for command in cli.app.registered_commands:
        name = (command.name or command.callback.__name__).replace("_", "-")
        assert name in shown
        assert deadrelu(name, "--help").returncode == 0


def test_the_command_starts_in_a_shell_and_needs_no_tensorflow_to_help() -> None:
    assert in_a_process("--help").returncode == 0
    code = (
        "import sys, deadrelu.cli, deadrelu.report.build, deadrelu.check.command; sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


MEASURE = """
import sys
from deadrelu.settings import params
from deadrelu.stages import collapse, data_target

settings = params.load()
data_target.main(settings)
for case in settings.collapse.cases:
    collapse.main(settings, case)
print("pandas" in sys.modules, end=" ")

from deadrelu.stages import safe_region, sensitivity

for table in settings.sensitivity:
    sensitivity.main(settings, table)
safe_region.main(settings)
print("tensorflow" in sys.modules)
"""


def test_narrow_networks_are_trained_without_tensorflow(project: Path) -> None:
    """No stage of narrow networks imports TensorFlow, and cases of collapse do not import pandas either."""
    done = subprocess.run([sys.executable, "-c", MEASURE], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nonsense"], "nonsense"),
        (["collapse"], "case"),
        (["data"], "which"),
        (["data", "cifar"], "cifar"),
        (["report", "--fast"], "--fast"),
        (["collapse", "nope"], "params.yaml:collapse.cases: received 'nope'; expected: relu, leaky_relu"),
        (["collapse", "collapse@nope"], "params.yaml:collapse.cases: received 'nope'; expected: relu, leaky_relu"),
        (["sensitivity", "nope"], "params.yaml:sensitivity: received 'nope'; expected: rai, deep"),
        (["sensitivity", "rai", "deep"], "deep"),
        (["bench"], "bench"),
        (["activations"], "data/mnist/t10k-images-idx3-ubyte.gz: missing"),
        (["training"], "data/mnist/train-images-idx3-ubyte.gz: missing"),
        (["inspect", "m.keras"], "--inputs"),
        (["inspect", "m.keras", "--inputs", "x.npy"], "x.npy: missing"),
        (["report"], "data/mnist/source.json"),
        (["check"], "data/mnist/source.json"),
    ],
)
def test_wrong_command_is_one_line(words: list[str], named: str, project: Path) -> None:
    before = tree(project)
    assert named in refused(*words)
    assert tree(project) == before


def test_wrong_params_are_refused_before_any_work(project: Path) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("trials: 8", "trials: eight"))
    before = tree(project)
    stages = ["data", "target"], ["activations"], ["training"], ["collapse", "relu"], ["safe-region"], ["sensitivity"]
    for words in (*stages, ["report"], ["check"]):
        assert "params.yaml:collapse.trials" in refused(*words)
    assert tree(project) == before


@pytest.mark.parametrize("words", [["collapse", "relu"], ["safe-region"], ["sensitivity", "rai"]])
def test_a_processor_that_cannot_be_played_is_refused_before_any_work(
    words: list[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEADRELU_CPU", "abacus")
    before = tree(project)
    assert refused(*words).startswith("deadrelu: DEADRELU_CPU: received 'abacus'; expected one of generic")
    assert tree(project) == before


@pytest.mark.parametrize("words", [["collapse", "relu"], ["safe-region"], ["sensitivity"]])
@pytest.mark.parametrize("threads", ["abc", "0"])
def test_a_number_of_threads_that_is_none_is_wrong_input(
    words: list[str], threads: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_NUM_WORKERS", threads)
    assert refused(*words) == (
        f"deadrelu: DASK_NUM_WORKERS: received '{threads}'; expected: a number of threads, 1 or more\n"
    )
    assert tree(project).keys() == {"params.yaml", "reports/report.ipynb"}


@pytest.mark.parametrize(
    ("words", "folders"), [([], ["deep", "rai"]), (["deep"], ["deep"]), (["sensitivity@rai"], ["rai"])]
)
def test_one_table_of_variations_or_all(words: list[str], folders: list[str], project: Path) -> None:
    assert deadrelu("sensitivity", *words).returncode == 0
    assert sorted(path.name for path in (project / "data/sensitivity").iterdir()) == folders


def test_cases_need_no_table_of_points(project: Path) -> None:
    """Each case trains on points drawn from the seed; the tables of data@target are for readers."""
    assert deadrelu("collapse", "relu").returncode == 0
    assert sorted(path.name for path in (project / "data").iterdir()) == ["collapse", "versions"]


def test_outside_a_project_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "params.yaml: cannot be read" in refused("report")


def test_a_folder_inside_a_project_is_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command in a subfolder works on the whole project, as `dvc` does."""
    (project / "dvc.yaml").touch()
    (project / "notes" / "today").mkdir(parents=True)
    monkeypatch.chdir(project / "notes" / "today")
    assert deadrelu("data", "target").returncode == 0
    assert (project / "data" / "targets").is_dir()
    assert not any((project / "notes" / "today").iterdir())


def test_a_relative_folder_of_the_digits_begins_where_the_command_is_typed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "dvc.yaml").touch()
    (project / "notes").mkdir()
    monkeypatch.chdir(project / "notes")
    monkeypatch.setenv("MNIST_DIR", "digits")
    cli._project()
    assert Path.cwd() == project
    assert os.environ["MNIST_DIR"] == str(project / "notes" / "digits")


def test_folder_that_cannot_be_written_is_named(project: Path) -> None:
    (project / "data").write_text("a file where a folder should be")
    assert "data" in refused("data", "target")
    assert (project / "data").read_text() == "a file where a folder should be"


def test_damaged_table_is_named(repository: Path) -> None:
    table = repository / "data/sensitivity/rai/trials.parquet"
    table.write_bytes(table.read_bytes()[:100])
    before = tree(repository)
    for command in ("report", "check"):
        assert "data/sensitivity/rai/trials.parquet: not a readable Parquet file" in refused(command)
    assert tree(repository) == before


def test_report_of_stale_tables_is_refused(repository: Path) -> None:
    """`dvc repro` would rerun the stage; `deadrelu report` alone must not show old numbers under new settings."""
    before = tree(repository / "reports")
    params = repository / "params.yaml"
    params.write_text(params.read_text().replace("negative_slope: 0.1", "negative_slope: 0.2"))
    assert "made by other params" in refused("report")
    params.write_text(params.read_text().replace("negative_slope: 0.2", "negative_slope: 0.1"))
    labels = repository / "data" / "mnist" / "t10k-labels-idx1-ubyte.gz"
    content = labels.read_bytes()
    labels.write_bytes(content[:300] + b"xyz" + content[303:])
    assert "t10k-labels-idx1-ubyte.gz: not an MNIST file" in refused("report")
    labels.write_bytes((repository / "data" / "mnist" / "train-labels-idx1-ubyte.gz").read_bytes())
    assert "1000 images and 4000 labels" in refused("report")
    (repository / "reports" / "report.ipynb").write_text("{")
    assert "report.ipynb: not a notebook" in refused("report")
    assert {k: v for k, v in tree(repository / "reports").items() if k != "report.ipynb"} == {
        k: v for k, v in before.items() if k != "report.ipynb"
    }


@pytest.mark.parametrize(
    ("words", "section", "short", "long"),
    [
        (["collapse", "leaky_relu"], "collapse:", "epochs: 1", "epochs: 100000"),
        (["collapse", "relu-refit"], "collapse:", "fits: 2", "fits: 100000, trials: 200"),
        (["safe-region"], "safe_region:", "epochs: 2", "epochs: 100000"),
        (["sensitivity", "rai"], "sensitivity:", "epochs: 1", "epochs: 100000"),
    ],
)
def test_interrupt_leaves_nothing_behind(words: list[str], section: str, short: str, long: str, project: Path) -> None:
    params = project / "params.yaml"
    head, _, after = params.read_text().partition(f"\n{section}")
    assert short in after
    head = head.replace("points: 200", "points: 20000")  # else the engine might be done
    params.write_text(f"{head}\n{section}{after.replace(short, long, 1)}")
    before = tree(project)
    running = subprocess.Popen([*COMMAND, *words], stderr=subprocess.PIPE, text=True, env=os.environ)
    work = project / "data" / ".work"
    wait_until(work.exists)  # until the command has begun its work
    finishes = words[0] in ("safe-region", "sensitivity")  # shards that only count dead networks, or a short variation
    wait_until(lambda: not finishes or bool(list(work.rglob("*.shard"))))
    time.sleep(1)
    error = interrupted(running, seconds=30)
    after = tree(project)
    kept = {name for name in after if name.startswith("data/.work/")}
    assert {name: after[name] for name in set(after) - kept} == before
    assert (f"finished work is kept in {project}/data/.work/" in error) == bool(kept)
    assert bool(kept) == finishes


def interrupted(running: "subprocess.Popen[str]", *, seconds: float) -> str:
    """Send Ctrl-C to a running command, which must end within so many seconds; return its stderr."""
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=seconds)
    assert running.returncode == 130
    assert "Traceback" not in error
    return error


def test_interrupt_ends_the_counting_of_untrained_networks(project: Path) -> None:
    """To count 20,000 networks of 60 layers of 100 units per initializer would take minutes without the signal."""
    yaml, path = YAML(), project / "params.yaml"
    values = yaml.load(path)
    large = {"depth": {"low": 60, "high": 60}, "width": {"low": 100, "high": 100}, "networks": 20_000}
    values["safe_region"] |= large
    yaml.dump(values, path)
    before = tree(project)
    env = os.environ | {"DASK_NUM_WORKERS": "3"}  # a thread for each initializer: with biases, others count
    running = subprocess.Popen([*COMMAND, "safe-region"], stderr=subprocess.PIPE, text=True, env=env)
    wait_until((project / "data/.work").exists)
    time.sleep(3)
    begun = time.monotonic()
    interrupted(running, seconds=60)
    assert time.monotonic() - begun < 15  # threads check the signal after each layer of 1,000 networks
    assert tree(project) == before


def test_version() -> None:
    assert deadrelu("--version").stdout.startswith("deadrelu 0.")


def test_a_fault_of_our_own_is_no_change_and_no_wrong_input(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def faulty(*_: object) -> None:
        raise ZeroDivisionError("by a bug")

    monkeypatch.setattr(data_target, "main", faulty)
    monkeypatch.setattr(sys, "argv", ["deadrelu", "data", "target"])
    with pytest.raises(SystemExit) as ended:
        __main__.run()
    assert ended.value.code == 70
    error = capsys.readouterr().err
    assert "ZeroDivisionError: by a bug" in error
    assert error.splitlines()[-1].startswith("deadrelu: this is a fault of deadrelu")
