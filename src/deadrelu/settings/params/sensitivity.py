"""The group `sensitivity`: tables of variations; each variation changes settings of a case of `collapse`."""

from pydantic import Field

from deadrelu.settings.params.collapse import Trainable
from deadrelu.settings.params.data import TargetParams
from deadrelu.settings.params.group import CaseKey, Group


class Variation(Trainable):
    """A case of `collapse`, and its target, with some of their keys replaced."""

    target: TargetParams


class SensitivityTable(Group):
    """Variations of the case `collapse.cases[of]`; in params.yaml, each variation contains only the keys it changes."""

    of: str
    variations: dict[CaseKey, Variation] = Field(min_length=1)
