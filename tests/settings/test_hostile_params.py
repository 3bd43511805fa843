"""Test that arbitrary params run or are refused in one line, and that none of them reaches a shell."""

import contextlib
import copy
import io
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import clones
from helpers.commands import deadrelu
from helpers.projects import write_small_params
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from deadrelu.errors import InputError
from deadrelu.settings import params
from deadrelu.stages import experiments, safe_region, sensitivity

DEPTH = int(os.environ.get("DEADRELU_FUZZ", "1"))
"""Number of examples as a multiple of that of `make test`."""

HOSTILE = [
    "$(touch PWNED)",
    "`touch PWNED`",
    "; touch PWNED",
    "a'b",
    'a"; touch PWNED; "',
    "../../x",
    "a\nb",
    "\x1b[2J",
    "",
]
TEXTS = st.sampled_from([*HOSTILE, "relu", "tanh", "rai", "he_normal", "zeros", "adam", "sgd", "abs_x", "refit"])
SMALL = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 12), st.sampled_from([0.0, -0.5, 0.1, 0.99, 1.0, 2.5]), TEXTS
)
ANY = st.one_of(
    SMALL,
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(SMALL, max_size=3),
    st.dictionaries(TEXTS, SMALL, max_size=3),
)

Path_ = tuple[Any, ...]
CASE_KEY = re.compile("[a-z0-9][a-z0-9_-]*")


def places(tree: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of every value, from the groups to the leaves."""
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inside:
        yield (*path, key)
        yield from places(value, (*path, key))


def mutated(tree: Any, where: Path_, kind: str, value: Any) -> Any:
    """Return a copy of the tree with one change."""
    tree = copy.deepcopy(tree)
    branch = tree
    for key in where[:-1]:
        branch = branch[key]
    key = where[-1]
    if kind == "replace":
        branch[key] = value
    elif kind == "delete":
        del branch[key]
    elif kind == "rename" and isinstance(branch, dict):
        branch[str(value)] = branch.pop(key)
    elif kind == "double" and isinstance(branch, list):
        branch.append(branch[key])
    elif kind == "add" and isinstance(branch, dict):
        branch[str(value)] = value
    return tree


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    write_small_params(path)
    return YAML(typ="safe").load(path)


def changes(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[float, str, Any]]]:
    """Return a strategy for one or two changes: the place (a fraction of all places), the kind, and the value."""
    kinds = st.sampled_from(["replace", "replace", "replace", "delete", "rename", "double", "add"])
    return st.lists(st.tuples(st.floats(0, 1, exclude_max=True), kinds, values), min_size=1, max_size=2)


def changed(tree: Any, edits: list[tuple[float, str, Any]]) -> Any:
    for fraction, kind, value in edits:
        everywhere = list(places(tree))
        if everywhere:
            tree = mutated(tree, everywhere[int(fraction * len(everywhere))], kind, value)
    return tree


def write(tree: Any, path: Path) -> None:
    text = io.StringIO()
    YAML(typ="safe").dump(tree, text)
    path.write_text(text.getvalue())


def loaded(path: Path) -> params.Params | str:
    try:
        return params.load(path)
    except InputError as error:
        return str(error)


@pytest.mark.fuzz
@settings(max_examples=100 * DEPTH, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=changes(ANY))
def test_every_file_is_read_or_refused_in_one_line(small: Any, tmp_path_factory: Any, edits: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    write(changed(small, edits), path)
    result = loaded(path)
    if isinstance(result, str):
        assert "\n" not in result
        assert result.startswith(str(path))
        assert len(result) < 1500
    else:
        for key in result.collapse.cases:
            assert CASE_KEY.fullmatch(key)
            experiments.of_case(result, key)
        assert all(CASE_KEY.fullmatch(key) for key in (*result.activations.cases, *result.training.cases))


@pytest.mark.fuzz
@settings(max_examples=100 * DEPTH, derandomize=True, deadline=None)
@given(text=st.one_of(st.text(), st.text(alphabet="{}[]:,&*!|>-?#'\"% \n\tab1")))
def test_any_text_is_refused_in_one_line(tmp_path_factory: Any, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "text.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        params.load(path)
    assert "\n" not in str(caught.value)


def stages(accepted: params.Params, small: params.Params) -> list[list[str]]:
    """Return the commands whose params differ."""
    cases = [key for key in accepted.collapse.cases if key not in small.collapse.cases]
    cases += [key for key in small.collapse.cases if key in accepted.collapse.cases]
    commands = [["collapse", key] for key in cases if not _same(accepted, small, key)]
    if accepted.activations != small.activations:
        commands.append(["activations"])
    if accepted.training != small.training:
        commands.append(["training"])
    if safe_region.settings(accepted) != safe_region.settings(small):
        commands.append(["safe-region"])
    for key in accepted.sensitivity:
        if key not in small.sensitivity or sensitivity.settings(accepted, key) != sensitivity.settings(small, key):
            commands.append(["sensitivity", key])
    return commands


def _same(accepted: params.Params, small: params.Params, key: str) -> bool:
    known = key in small.collapse.cases
    return known and experiments.of_case(accepted, key) == experiments.of_case(small, key)


@pytest.fixture(scope="module")
def ready(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with the digits."""
    folder = tmp_path_factory.mktemp("ready")
    shutil.copytree(pipeline / "data/mnist", folder / "data/mnist")
    return folder


@pytest.mark.fuzz
@settings(max_examples=12 * DEPTH, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=changes(SMALL))
def test_what_is_accepted_runs(small: Any, ready: Path, edits: Any) -> None:
    with contextlib.chdir(ready):
        write(changed(small, edits), Path("params.yaml"))
        result = loaded(Path("params.yaml"))
        status, _, stderr = deadrelu("data", "target")
        if isinstance(result, str):
            assert (status, stderr) == (2, f"deadrelu: {result}\n")
            return
        assert status == 0, stderr
        for words in stages(result, params.Params.model_validate(small)):
            status, _, stderr = deadrelu(*words)
            assert status == 0, f"{words}: {stderr}"


def test_no_key_reaches_a_shell(repository: Path) -> None:
    """DVC would put a key into a command, and a shell would run the code in it."""
    tree = YAML(typ="safe").load(repository / "params.yaml")
    cases = tree["collapse"]["cases"]
    tree["collapse"]["cases"] = dict.fromkeys(HOSTILE[:-2], cases["relu"])
    write(tree, repository / "params.yaml")
    done = clones.attempt(repository, "dvc", "repro", "--keep-going")
    assert done.returncode != 0
    assert "Running stage 'collapse@$(touch PWNED)'" in done.stdout  # DVC did not refuse it
    assert not list(repository.rglob("PWNED*"))
