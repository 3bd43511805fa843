"""The class of the whole file `params.yaml`, with checks across its groups."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from deadrelu.settings.params.collapse import CollapseCase, CollapseParams
from deadrelu.settings.params.data import DataParams, TargetParams
from deadrelu.settings.params.group import CaseKey, Group
from deadrelu.settings.params.initializer import Rai
from deadrelu.settings.params.safe_region import SafeRegionParams
from deadrelu.settings.params.sensitivity import SensitivityTable, Variation
from deadrelu.settings.params.signals import ActivationsParams, TrainingParams

OLD_SENSITIVITY = {"trials", "epochs", "collapsed_within", "readings", "base", "deaths"}


class Params(Group):
    seed: int = Field(ge=0, lt=2**32)
    data: DataParams
    activations: ActivationsParams
    training: TrainingParams
    collapse: CollapseParams
    safe_region: SafeRegionParams
    sensitivity: dict[CaseKey, SensitivityTable] = {}

    @model_validator(mode="before")
    @classmethod
    def _complete_variations(cls, values: Any) -> Any:
        """Complete each variation of `sensitivity` from its case, so that an error is reported at the variation."""
        tables = values.get("sensitivity") if isinstance(values, dict) else None
        if not isinstance(tables, dict):
            return values
        if old := OLD_SENSITIVITY & tables.keys():
            expected = "sensitivity.NAME: {of: a case of collapse, variations: {…}}"
            raise ValueError(f"sensitivity.{min(old)} is an old key: expected {expected}")
        completed = {}
        for key, table in tables.items():
            try:
                cases, targets = values["collapse"]["cases"], values["data"]["targets"]
                base = _known_case(f"sensitivity.{key}.of", table["of"], cases)
                _known_target(table["of"], base["target"], targets)
                variations = table["variations"].items()
                changed = {name: _completed(base, targets[base["target"]], changes) for name, changes in variations}
            except (KeyError, TypeError, AttributeError):  # the validation of fields rejects such values
                completed[key] = table
            else:
                completed[key] = {**table, "variations": changed}
        return {**values, "sensitivity": completed}

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        cases, targets = self.collapse.cases, self.data.targets
        for key, case in cases.items():
            _known_target(key, case.target, targets)
        _known_case("safe_region.trained.of", self.safe_region.trained.of, self.collapse.model_dump()["cases"])
        return self

    @model_validator(mode="after")
    def _grid_can_be_trained(self) -> Self:
        region = self.safe_region
        base = self.collapse.cases[region.trained.of]
        received = f"safe_region.trained.of: received {region.trained.of!r}"
        if not self.data.targets[base.target].of_one_input:
            raise ValueError(f"{received}; expected a case of one input")
        if base.activation != "relu":
            raise ValueError(f"{received}; expected a case of ReLU networks")
        rai = any(isinstance(region.initializers[key], Rai) for key in region.trained.initializers)
        if rai and not base.biases:
            raise ValueError("safe_region.trained.initializers: RAI draws biases; expected a case with biases: true")
        return self

    @model_validator(mode="after")
    def _refits_have_probes(self) -> Self:
        for key in self.collapse.refit:
            if not self.target_of(key).of_one_input:
                raise ValueError(f"collapse.cases.{key}.target: expected one of one input, for the probes of refits")
        return self

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
        changes: dict[str, Any] = {"widths": [width] * depth, "follow": []}
        changes |= {"initializer": self.safe_region.initializers[initializer]}
        changes |= {"first_initializer": None, "last_initializer": None}
        changes |= {"trials": grid.trials or base.trials, "epochs": grid.epochs or base.epochs}
        return base.model_copy(update=changes)

    @property
    def grid_epochs(self) -> int:
        """Number of epochs of a trial in the trained cells of the grid."""
        grid = self.safe_region.trained
        return grid.epochs or self.collapse.epochs_of(grid.of)

    @property
    def main_cases(self) -> list[str]:
        """Keys of the cases of independent trials on the first target, which the report's main questions are about."""
        return [key for key in self.collapse.independent if self.collapse.cases[key].target == self.data.main_target]

    @property
    def other_cases(self) -> list[str]:
        """Keys of the cases of independent trials on other targets than the first one."""
        return [key for key in self.collapse.independent if key not in self.main_cases]


def _known_case(key: str, case: str, cases: Mapping[str, Any]) -> Any:
    """Return `cases[case]`; if unknown or of protocol refit, raise a ValueError that names `key` in params.yaml."""
    if case not in cases:
        raise ValueError(f"{key}: received {case!r}; expected one of collapse.cases: {', '.join(cases)}")
    if cases[case].get("protocol") == "refit":
        raise ValueError(f"{key}: received {case!r}, whose trials are refits; expected one of independent trials")
    return cases[case]


def _known_target(key: str, target: str, targets: Mapping[str, Any]) -> None:
    """Raise a ValueError if the `target` of the case `key` is none of `data.targets`."""
    if target not in targets:
        expected = f"expected one of data.targets: {', '.join(targets)}"
        raise ValueError(f"collapse.cases.{key}.target: received {target!r}; {expected}")


def _completed(base: Mapping[str, Any], target: Any, changes: Any) -> Any:
    """Return a variation with the other keys of its case and target; fields reject changes that are no group."""
    if not isinstance(changes, dict):
        return changes
    own = changes.get("target", {})
    return {**base, "follow": [], **changes, "target": {**target, **own} if isinstance(own, dict) else own}
