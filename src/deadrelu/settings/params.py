"""The whole file `params.yaml`: checks across its groups, and the settings that several groups determine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from deadrelu.errors import InputError
from deadrelu.settings import stages
from deadrelu.settings.group import CaseKey, Group, Problems, first_error, problem
from deadrelu.settings.initializer import Rai
from deadrelu.settings.stages import CollapseCase, TargetParams, Variation


class Params(Group):
    seed: int = Field(ge=0, lt=2**32)
    data: stages.DataParams
    activations: stages.ActivationsParams
    training: stages.TrainingParams
    collapse: stages.CollapseParams
    safe_region: stages.SafeRegionParams
    sensitivity: dict[CaseKey, stages.SensitivityTable] = {}

    @model_validator(mode="before")
    @classmethod
    def _complete_variations(cls, values: Any) -> Any:
        """Complete each variation of `sensitivity` from its case, so that an error is reported at the variation."""
        tables = values.get("sensitivity") if isinstance(values, dict) else None
        if not isinstance(tables, dict):
            return values
        if old := {"trials", "epochs", "collapsed_within", "readings", "base", "deaths"} & tables.keys():
            expected = "sensitivity.NAME: {of: a case of collapse, variations: {…}}"
            raise problem(f"{min(old)} is an old key: expected {expected}", "sensitivity")
        return {**values, "sensitivity": {key: _completed(key, table, values) for key, table in tables.items()}}

    def _problems(self) -> Problems:
        cases, grid, place = self.collapse.cases, self.safe_region.trained, ("safe_region", "trained", "of")
        for key, case in cases.items():
            target = _known_target(key, case.target, self.data.targets)
            if case.protocol == "refit" and not target.of_one_input:
                yield problem("expected one of one input, for the probes of refits", "collapse", "cases", key, "target")
        _known_case(grid.of, self.collapse.model_dump()["cases"], *place)
        if not self.target_of_grid.of_one_input:
            yield problem("expected a case of one input", *place)
        if cases[grid.of].activation != "relu":
            yield problem("expected a case of ReLU networks", *place)
        rai = any(isinstance(self.safe_region.initializers[key], Rai) for key in grid.initializers)
        if rai and not cases[grid.of].biases:
            yield problem("RAI draws biases; expected a case with biases: true", *place[:2], "initializers")

    def target(self, case: CollapseCase | Variation) -> TargetParams:
        """Return the target that the networks of a case or variation learn."""
        return case.target if isinstance(case, Variation) else self.data.targets[case.target]

    def target_of(self, key: str) -> TargetParams:
        """Return the target that the networks of the case `key` of `collapse` learn."""
        return self.target(self.collapse.cases[key])

    @property
    def target_of_grid(self) -> TargetParams:
        """The target that the trained networks of `safe_region` learn."""
        return self.target_of(self.safe_region.trained.of)

    def grid_case(self, depth: int, width: int, initializer: str) -> CollapseCase:
        """Return the case of a cell of the trained grid; `initializer` is a key of `safe_region.initializers`."""
        grid, base = self.safe_region.trained, self.collapse.cases[self.safe_region.trained.of]
        size = {"widths": [width] * depth, "trials": grid.trials or base.trials, "epochs": self.grid_epochs}
        drawn = {"initializer": self.safe_region.initializers[initializer]}
        absent: dict[str, Any] = {"first_initializer": None, "last_initializer": None, "follow": []}
        return base.model_copy(update={**size, **drawn, **absent})

    @property
    def grid_epochs(self) -> int:
        """Number of epochs of a trial in the trained cells of the grid."""
        return self.safe_region.trained.epochs or self.collapse.epochs_of(self.safe_region.trained.of)

    @property
    def main_cases(self) -> list[str]:
        """Keys of the cases of independent trials on the first target, which the report's main questions are about."""
        return [key for key in self.collapse.independent if self.collapse.cases[key].target == self.data.main_target]

    @property
    def other_cases(self) -> list[str]:
        """Keys of the cases of independent trials on other targets than the first one."""
        return [key for key in self.collapse.independent if key not in self.main_cases]


def _completed(key: str, table: Any, values: Mapping[str, Any]) -> Any:
    """Return a table of `sensitivity` whose variations have all keys, or the table as it is if its fields reject it."""
    try:
        base = _known_case(table["of"], values["collapse"]["cases"], "sensitivity", key, "of")
        target = _known_target(table["of"], base["target"], values["data"]["targets"])
        variations = table["variations"].items()
        return {**table, "variations": {name: _changed(base, target, changes) for name, changes in variations}}
    except (KeyError, TypeError, AttributeError):
        return table


def _changed(base: Mapping[str, Any], target: Any, changes: Any) -> Any:
    """Return a case with changes of its keys and of those of its target; fields reject changes that are no group."""
    if not isinstance(changes, dict):
        return changes
    own = changes.get("target", {})
    return {**base, "follow": [], **changes, "target": {**target, **own} if isinstance(own, dict) else own}


def _known_case(case: str, cases: Mapping[str, Any], *keys: str) -> Any:
    """Return a case; raise a problem, at `keys`, if it is unknown or of protocol refit."""
    if case not in cases:
        raise problem(f"expected one of collapse.cases: {', '.join(cases)}", *keys)
    if cases[case].get("protocol") == "refit":
        raise problem("expected a case of independent trials, not of refits", *keys)
    return cases[case]


def _known_target(case: str, target: str, targets: Mapping[str, Any]) -> Any:
    """Return a target; raise a problem, at the case that names the target, if it is unknown."""
    if target not in targets:
        raise problem(f"expected one of data.targets: {', '.join(targets)}", "collapse", "cases", case, "target")
    return targets[target]


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check a params file.

    The file is parsed as YAML 1.2, as by DVC: PyYAML would parse `1e-3` as a string and `no` as false.

    Raises:
        InputError: the file is unreadable or wrong; for a wrong value, the message names its key and what is expected.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return Params.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{path}:{first_error(values, error)}") from None
    except YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}; run deadrelu in the project's root folder") from None
