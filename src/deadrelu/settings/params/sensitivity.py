"""The group `sensitivity`: tables of variations, each of which changes one setting of a case of `collapse`."""

from pydantic import Field

from deadrelu.settings.params.collapse import Trainable
from deadrelu.settings.params.data import TargetParams
from deadrelu.settings.params.group import CaseKey, Group


class Variation(Trainable):
    """A case with some keys replaced, and its target with some keys replaced."""

    target: TargetParams


class SensitivityTable(Group):
    """Variations of the case `of`, a key of `collapse.cases`; in the file, each has only the keys that it changes."""

    of: str
    variations: dict[CaseKey, Variation] = Field(min_length=1)
