"""Test the real `dvc` on a small pipeline: it reruns only what an edit affects, and compares results."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers.clones import attempt, commit, edit, run, stages_run
from helpers.commands import deadrelu
from helpers.projects import ROOT
from ruamel.yaml import YAML

from deadrelu.report.figures import drawing


class Tags(HTMLParser):
    """A parser that collects the addresses that a page loads, and its images."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.images.append(values)
        if tag in ("script", "link", "img", "iframe"):
            self.addresses += [value for key, value in attrs if key in ("src", "href") and value]


def test_pipeline_from_nothing_to_a_report(pipeline: Path) -> None:
    assert stages_run((pipeline.parent / "repro.log").read_text()) == [
        *("data@mnist", "data@target", "activations", "training"),
        *("collapse@relu", "collapse@leaky_relu", "collapse@relu-refit", "collapse@step_sin_5x-rai"),
        *("safe_region", "sensitivity@rai", "sensitivity@deep", "report"),
    ]
    metrics = json.loads((pipeline / "reports" / "metrics.json").read_text())
    assert metrics["data"]["mnist"] == {"source": "bundled", "test_images": 1000}
    assert metrics["collapse"]["relu"]["trials"] == 1000
    check_page((pipeline / "reports" / "report.html").read_text())


@pytest.fixture(scope="module")
def history(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository of two commits with results: the accepted ones, and those of a steeper slope.

    The file `edited.log` next to it holds what `dvc repro` printed.
    """
    folder = tmp_path_factory.mktemp("history") / "repository"
    shutil.copytree(pipeline, folder, symlinks=True)
    edit(folder / "params.yaml", "negative_slope: 0.1", "negative_slope: 0.2")
    (folder.parent / "edited.log").write_text(run(folder, "dvc", "repro"))
    commit(folder)
    return folder


@pytest.mark.without_digits
def test_an_edit_reruns_what_it_touches(history: Path, pipeline: Path, tmp_path: Path) -> None:
    """Undoing the edit restores the results; the steps have the order in which a user takes them."""
    assert stages_run((history.parent / "edited.log").read_text()) == ["collapse@leaky_relu", "report"]
    assert "slope 0.2" in (history / "reports" / "report.html").read_text()
    folder = tmp_path / "repository"
    shutil.copytree(history, folder, symlinks=True)
    out = run(folder, "dvc", "repro")
    assert stages_run(out) == []
    assert "up to date" in out

    edit(folder / "params.yaml", "negative_slope: 0.2", "negative_slope: 0.1")
    difference = json.loads(run(folder, "dvc", "params", "diff", "--json"))
    assert difference == {
        "params.yaml": {"collapse.cases.leaky_relu.negative_slope": {"old": 0.2, "new": 0.1, "diff": -0.1}}
    }
    assert "report" in stages_run(run(folder, "dvc", "repro"))
    assert (folder / "reports" / "report.html").read_text() == (pipeline / "reports" / "report.html").read_text()
    assert run(folder, "git", "diff", "HEAD~1") == ""  # the same bytes in every tracked figure, table and metric


@pytest.mark.without_digits
def test_an_edit_of_a_target_reruns_the_cases_that_use_it_and_what_starts_from_them(repository: Path) -> None:
    """The grid and one table of variations start from relu on x_sin_x, the other from a case on step_sin_5x."""
    path, text = repository / "params.yaml", (repository / "params.yaml").read_text()
    cases = [f"collapse@{key}" for key in ("relu", "leaky_relu", "relu-refit", "step_sin_5x-rai")]
    others = ("data@target", "activations", "training", "safe_region", "sensitivity@rai", "sensitivity@deep")
    for name, points, touched in (
        ("step_sin_5x", 200, {"collapse@step_sin_5x-rai", "sensitivity@rai"}),
        ("x_sin_x", 3000, {*cases[:3], "safe_region", "sensitivity@deep"}),
    ):
        (entry,) = re.findall(rf" {name}: {{.*?points: {points}", path.read_text(), re.DOTALL)
        edit(path, entry, entry.replace(f"points: {points}", "points: 150"))
        reran = stages_run(run(repository, "dvc", "repro", *others, *cases))
        assert sorted(reran) == sorted({"data@target", *touched})
    assert path.read_text() != text


@pytest.mark.without_digits
def test_an_edit_of_a_variation_reruns_its_table_alone(repository: Path) -> None:
    text = (repository / "params.yaml").read_text()
    edit(repository / "params.yaml", "points: 50", "points: 60")
    assert "points: 50" in text
    assert would_rerun(repository) == ["report", "sensitivity@deep"]


def would_rerun(folder: Path) -> list[str]:
    """Return the names of the stages that DVC would run now, without running them."""
    printed = run(folder, "dvc", "repro", "--dry")
    return sorted(stages_run(printed))


def test_a_mistake_in_the_params_costs_nothing(repository: Path) -> None:
    page = (repository / "reports" / "report.html").read_text()
    edit(repository / "params.yaml", "  tolerance:", "  tolerence:")
    failed = attempt(repository, "dvc", "repro")
    assert failed.returncode != 0
    errors = [line for line in failed.stderr.splitlines() if line.startswith("deadrelu: ")]
    assert len(errors) == 1
    assert "params.yaml:collapse.tolerence: unknown key" in errors[0]
    assert (repository / "reports" / "report.html").read_text() == page
    assert run(repository, "git", "status", "--porcelain").split() == ["M", "params.yaml"]


def check_page(html: str) -> None:
    """Check that a page has the three answers, the banner and every figure with its text, and no address elsewhere."""
    for words in (
        "1. Which initialization",
        "2. What becomes of",
        "3. What becomes of",
        "Not the official MNIST",
        "95 % interval",
    ):
        assert words in html
    tags = Tags()
    tags.feed(html)
    assert all(address.startswith(("data:", "#")) for address in tags.addresses)
    assert len(tags.images) == len(drawing.FIGURES)
    assert all(image["alt"] for image in tags.images)


def test_removed_case_is_not_read(repository: Path) -> None:
    """DVC leaves the folder of a case that params.yaml no longer has."""
    shutil.copytree("data/collapse/relu", "data/collapse/removed")
    done = deadrelu("report")
    assert done.returncode == 0
    assert "not read: data/collapse/removed" in done.stderr


@pytest.fixture
def without_cache(history: Path, tmp_path: Path) -> Path:
    """Make a clone as a colleague has it, without cache and remote."""
    run(tmp_path, "git", "clone", "--quiet", str(history), "clone")
    assert not (tmp_path / "clone" / ".dvc" / "cache").exists()
    return tmp_path / "clone"


def test_comparisons_need_no_cache_and_no_remote(without_cache: Path) -> None:
    old = json.loads(run(without_cache, "git", "show", "HEAD~1:reports/metrics.json"))["collapse"]["leaky_relu"]["rate"]
    new = json.loads((without_cache / "reports" / "metrics.json").read_text())["collapse"]["leaky_relu"]["rate"]
    assert old > new
    difference = json.loads(run(without_cache, "dvc", "metrics", "diff", "HEAD~1", "--json"))
    rate = difference["reports/metrics.json"]["collapse.leaky_relu.rate"]
    assert (rate["old"], rate["new"]) == (old, new)
    assert rate["diff"] == pytest.approx(new - old)
    assert not any("relu." in key and "leaky" not in key for key in difference["reports/metrics.json"])
    difference = json.loads(run(without_cache, "dvc", "params", "diff", "HEAD~1", "--json"))
    assert list(difference["params.yaml"]) == ["collapse.cases.leaky_relu.negative_slope"]


@pytest.mark.without_digits
def test_plots_of_two_commits_in_one_page_that_asks_nobody(without_cache: Path) -> None:
    run(without_cache, "dvc", "plots", "diff", "HEAD~1")
    page = (without_cache / "dvc_plots" / "index.html").read_text()
    tags = Tags()
    tags.feed(page)
    assert not [address for address in tags.addresses if re.match("[a-z]+:|//", address)]
    images = {image["src"] for image in tags.images}
    shown = {Path(str(image)).name for image in images}
    for figure in (without_cache / "reports" / "figures").iterdir():
        sides = {f"HEAD~1_reports_figures_{figure.name}", f"workspace_reports_figures_{figure.name}"}
        assert sides <= shown
    static = without_cache / "dvc_plots" / "static"
    name = "reports_figures_rate_by_tolerance.png"
    before, after = ((static / f"{side}_{name}").read_bytes() for side in ("HEAD~1", "workspace"))
    assert before != after
    assert after == (without_cache / "reports" / "figures" / "rate_by_tolerance.png").read_bytes()
    # The copy of Vega in the page draws the curves of both.
    assert page.count("vegaEmbed(") == 4
    for table in ("collapse_rates", "rate_by_tolerance", "loss_curves", "signals"):
        assert f"reports/tables/{table}.csv" in page
    assert '"rev": "HEAD~1"' in page
    assert '"rev": "workspace"' in page
    run(without_cache, "dvc", "plots", "show")
    assert "cdn" not in (without_cache / "dvc_plots" / "index.html").read_text().lower()


@pytest.mark.without_digits
def test_one_changed_line_is_told_to_a_pull_request(repository: Path) -> None:
    """The workflow's last step reports no difference, and then that of another epsilon; DVC takes twenty seconds."""
    folder = repository
    nothing = run(folder, ".ci/summary", "HEAD")
    assert "**identical: " in nothing
    assert nothing.count("No difference.") == 3

    # The edit is in the arithmetic: the setting's default is among the settings, which would not be comparable.
    edit(folder / "src" / "deadrelu" / "engine" / "forward_backward.py", "+ optimizer.epsilon", "+ 1e-3")
    reran = stages_run(run(folder, "dvc", "repro"))
    assert set(reran) >= {"collapse@relu", "collapse@leaky_relu", "safe_region", "report"}
    assert "training" not in reran
    commit(folder)
    done = attempt(folder, ".ci/summary", "HEAD~1")
    assert done.returncode == 1
    assert "**changed: collapse@leaky_relu**" in done.stdout
    assert re.search(r"\| collapse@leaky_relu \| collapsed \| 0\.\d{3} \| 0\.\d{3} \| the same trials", done.stdout)
    assert re.search(r"\| reports/metrics.json \| collapse.leaky_relu.rate +\|", done.stdout)
    assert "### rate_by_tolerance" in done.stdout
    assert "### activations" not in done.stdout

    assert attempt(folder, ".ci/summary", "no-such-commit").returncode == 2


def test_workflow_is_valid() -> None:
    run(ROOT, "check-jsonschema", "--builtin-schema", "vendor.github-workflows", ".github/workflows/ci.yml")
    (steps,) = [job["steps"] for name, job in workflow()["jobs"].items() if name == "results"]
    ran = " ".join(step.get("run", "") for step in steps)
    for needed in ("make report", ".ci/summary"):
        assert needed in ran
    assert "secrets." not in (ROOT / ".github" / "workflows" / "ci.yml").read_text()


def test_an_invalid_workflow_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ci.yml"
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    path.write_text(text.replace("runs-on:", "runs-no:", 1))
    assert attempt(ROOT, "check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)).returncode == 1


def workflow() -> dict[str, object]:
    return dict(YAML(typ="safe").load(ROOT / ".github" / "workflows" / "ci.yml"))
