"""Read and write `reports/reference.json`: accepted results, with a checksum that reveals truncation and edits."""

import base64
import hashlib
import json
import platform
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deadrelu.check.quantities import Count, Observed
from deadrelu.errors import InputError
from deadrelu.storage import files

SCHEMA = 1
AGAIN = "`deadrelu check --update` writes it anew, from the present results"

Finite = Annotated[float, Field(allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Record(BaseModel):
    """Base class of the parts of `reports/reference.json`; it accepts no other keys and no values of other types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Counted(Record):
    """A `quantities.Count` as stored in the file; `outcomes` are packed bits in base64, trial 0 first."""

    count: int = Field(ge=0)
    trials: int = Field(ge=1)
    outcomes: str | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        self.as_count()
        return self

    @classmethod
    def of(cls, count: Count) -> Self:
        """Return the record of a count."""
        bits = None if count.outcomes is None else base64.b64encode(np.packbits(count.outcomes).tobytes()).decode()
        return cls(count=count.count, trials=count.trials, outcomes=bits)

    def as_count(self) -> Count:
        """Return the count with decoded outcomes; raise a `ValueError` if they do not fit `count` and `trials`."""
        if self.outcomes is None:
            return Count(self.count, self.trials)
        packed = np.frombuffer(base64.b64decode(self.outcomes, validate=True), np.uint8)
        if len(packed) != -(-self.trials // 8):
            raise ValueError("outcomes must have a bit for each trial")
        outcomes = np.unpackbits(packed, count=self.trials).astype(bool)
        if outcomes.sum() != self.count:
            raise ValueError("outcomes must have as many ones as the count says")
        return Count(self.count, self.trials, outcomes)


class Spread(Record):
    """Mean and standard deviation of a number over other seeds; of its natural logarithm if `log`."""

    mean: Finite
    sd: Finite = Field(ge=0)
    log: bool


class StageRecord(Record):
    """Accepted results of a stage: fields of `Observed`, SHA-256 of files, and spreads of values over other seeds."""

    params: dict[str, Any]
    needs_mnist: bool
    tables: dict[str, Sha256]
    counts: dict[str, Counted]
    values: dict[str, Finite]
    drawn: dict[str, Finite]
    exact: dict[str, Finite]
    seeds: int = Field(ge=0)
    spread: dict[str, Spread]

    @property
    def observed(self) -> Observed:
        """The accepted results in the same form as present ones."""
        counts = {name: counted.as_count() for name, counted in self.counts.items()}
        return Observed(self.params, self.needs_mnist, counts, self.values, self.drawn, self.exact)


class Origin(Record):
    """Seed, digits, machine and package versions of results; if all are equal, the same code gives the same bits."""

    seed: int
    mnist: Literal["official", "bundled"]
    machine: str
    versions: dict[str, str]


class Reference(Record):
    """Content of the reference file, without its schema number and checksum."""

    origin: Origin
    stages: dict[str, StageRecord]


def record(observed: Observed, tables: dict[str, str], seeds: int, spread: dict[str, Spread]) -> StageRecord:
    """Return the record of a stage for the reference file.

    Args:
        observed: results of the stage.
        tables: SHA-256 of each file of the stage, by its path.
        seeds: number of other seeds over which `spread` was measured.
        spread: spread over seeds of the values for which it was measured, by their names.
    """
    return StageRecord(
        params=json.loads(json.dumps(observed.params)),
        needs_mnist=observed.needs_mnist,
        tables=tables,
        counts={name: Counted.of(count) for name, count in observed.counts.items()},
        values=observed.values,
        drawn=observed.drawn,
        exact=observed.exact,
        seeds=seeds,
        spread=spread,
    )


def machine() -> str:
    """Return operating system and architecture, such as Linux x86_64; all x86-64 processors give the same bytes."""
    return f"{platform.system()} {platform.machine()}"


def write(reference: Reference, path: Path) -> None:
    """Write a reference to `path`, and replace an existing file only when the new one is complete."""
    content = reference.model_dump()
    tree = {"schema": SCHEMA, "sha256": _digest(content), **content}
    with files.scratch_folder(path.parent) as scratch:
        new = scratch / path.name
        new.write_text(json.dumps(tree, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        files.replace(new, path, scratch)


def read(path: Path) -> Reference:
    """Read and check a reference file.

    Raises:
        InputError: the file is missing, truncated, edited by hand, or of another schema.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: missing; `deadrelu check --update` accepts the present results") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable JSON: {' '.join(str(error).split())}; {AGAIN}") from None
    if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
        received = tree.get("schema") if isinstance(tree, dict) else type(tree).__name__
        raise InputError(f"{path}: received schema {received!r:.40}; expected: {SCHEMA}; {AGAIN}")
    content = {key: value for key, value in tree.items() if key not in ("schema", "sha256")}
    if tree.get("sha256") != _digest(content):
        raise InputError(f"{path}: edited by hand or cut: its sha256 is not that of its content; {AGAIN}")
    try:
        return Reference.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {where}: {first['msg']}; received {first['input']!r:.80}; {AGAIN}") from None


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
