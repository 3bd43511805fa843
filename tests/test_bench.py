"""The bench runs and reports; how fast is for a reader to judge, not for a test."""

import importlib.util
import json

import pytest

from deadrelu.stages import bench


def test_bench_reports_every_contender(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    small = {"engine_leaky_relu": 8, "engine_relu": 8, "keras_loop": 1, "jax_vmap": 2}
    monkeypatch.setattr(bench, "TRIALS", small)
    bench.main(repeats=1, as_json=True)
    found = json.loads(capsys.readouterr().out)
    contenders = set(small) if importlib.util.find_spec("jax") else set(small) - {"jax_vmap"}
    assert set(found) == {"ms_per_trial", "ratio", "first_call_s", "machine"}
    assert set(found["ms_per_trial"]) == set(found["first_call_s"]) == contenders
    assert all(value > 0 for part in ("ms_per_trial", "ratio", "first_call_s") for value in found[part].values())
