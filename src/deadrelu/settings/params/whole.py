"""All of `params.yaml`, and which part of it each table depends on."""

from pydantic import Field

from deadrelu.settings.params.collapse import CollapseParams
from deadrelu.settings.params.data import DataParams, TargetParams
from deadrelu.settings.params.group import Group
from deadrelu.settings.params.safe_region import SafeRegionParams
from deadrelu.settings.params.sensitivity import SensitivityParams
from deadrelu.settings.params.signals import ActivationsParams, TrainingParams


class Params(Group):
    seed: int = Field(ge=0, lt=2**32)
    data: DataParams
    activations: ActivationsParams
    training: TrainingParams
    collapse: CollapseParams
    safe_region: SafeRegionParams
    sensitivity: SensitivityParams

    def target_of(self, key: str) -> TargetParams:
        """What the networks of a case of `collapse` are to learn."""
        return self.collapse.cases[key].target or self.data.target

    @property
    def target_of_grid(self) -> TargetParams:
        """What the networks of `safe_region` are to learn."""
        return self.safe_region.trained.target or self.data.target

    def of_target(self) -> dict[str, object]:
        """What the training points depend on."""
        return {"seed": self.seed, "target": self.data.target.model_dump()}

    def of_activations(self) -> dict[str, object]:
        """What the tables of `activations` depend on."""
        return {"seed": self.seed, "activations": self.activations.model_dump()}

    def of_training(self) -> dict[str, object]:
        """What the tables of `training` depend on."""
        return {"seed": self.seed, "training": self.training.model_dump()}

    def of_collapse(self, key: str) -> dict[str, object]:
        """What the table of one case of `collapse` depends on: not the other cases, not the tolerance."""
        shared = {
            "trials": self.collapse.trials_of(key),
            "epochs": self.collapse.epochs_of(key),
            "batch_size": self.collapse.batch_size,
            "target": self.target_of(key).model_dump(),
        }
        case = self.collapse.cases[key].model_dump()
        optional = ("first_initializer", "last_initializer")  # younger than the tables
        return {
            "seed": self.seed,
            **shared,
            "case": {name: value for name, value in case.items() if value is not None or name not in optional},
        }

    def of_sensitivity(self) -> dict[str, object]:
        """What the tables of `sensitivity` depend on."""
        return {"seed": self.seed, "sensitivity": self.sensitivity.model_dump()}

    def of_safe_region(self) -> dict[str, object]:
        """What the tables of `safe_region` depend on."""
        return {
            "seed": self.seed,
            "safe_region": self.safe_region.model_dump(),
            "target": self.target_of_grid.model_dump(),
        }
