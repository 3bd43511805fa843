"""Compare time and peak memory of `inspect` with those of a plain forward and backward pass over the same inputs."""

import json
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

INPUTS = {"MLP": 10_000, "convnet": 512, "ViT": 256, "GPT-like": 1024, "VGG-11": 64}
"""Number of inputs of each model."""


def built(name: str) -> tuple[Any, np.ndarray]:
    """Build a PyTorch model with random weights, and inputs for it."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    rng, n = np.random.default_rng(0), INPUTS[name]
    if name == "MLP":
        hidden = [part for _ in range(8) for part in (nn.Linear(784, 784), nn.ReLU())]
        return nn.Sequential(*hidden, nn.Linear(784, 10)), rng.normal(size=(n, 784)).astype(np.float32)
    if name == "convnet":
        stages = [
            part
            for a, b in ((3, 64), (64, 128), (128, 256), (256, 512))
            for part in (nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2))
        ]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
        return nn.Sequential(*stages, *head), rng.normal(size=(n, 3, 64, 64)).astype(np.float32)
    if name == "VGG-11":  # 133 million weights
        pairs = ((3, 64), (64, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 512), (512, 512))
        shrinks = (True, True, False, True, False, True, False, True)
        features = [
            part
            for (a, b), shrink in zip(pairs, shrinks, strict=True)
            for part in (nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), *[nn.MaxPool2d(2)] * shrink)
        ]
        dense = [nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
        model = nn.Sequential(*features, nn.AdaptiveAvgPool2d(7), nn.Flatten(), *dense)
        return model, rng.normal(size=(n, 3, 64, 64)).astype(np.float32)
    layer = nn.TransformerEncoderLayer(192, 6, 768, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, 6, enable_nested_tensor=False)
    if name == "ViT":
        patches = nn.Sequential(nn.Conv2d(3, 192, 8, 8), nn.Flatten(2))
        return Tokens(patches, encoder, nn.Linear(192, 10)), rng.normal(size=(n, 3, 64, 64)).astype(np.float32)
    return Tokens(nn.Embedding(1000, 192), encoder, nn.Linear(192, 1000)), rng.integers(0, 1000, (n, 32))


def Tokens(first: Any, encoder: Any, head: Any) -> Any:  # noqa: N802  # it makes one
    """Return a module that makes tokens, encodes them, and applies a head to each."""
    from torch import nn

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.encoder, self.head = first, encoder, head

        def forward(self, x: Any) -> Any:
            tokens = self.first(x)
            return self.head(self.encoder(tokens.transpose(1, 2) if isinstance(self.first, nn.Sequential) else tokens))

    return Module()


def measured(name: str, kind: str) -> dict[str, float]:
    """Run one pass in this process, and return its seconds and the peak memory above what the model needs, in MB."""
    import torch

    from deadrelu import inspect

    model, x = built(name)
    inspect(model, x[:8])  # makes all imports first
    before, begun = _peak(), time.perf_counter()
    if kind == "inspect":
        inspect(model, x)
    else:
        from deadrelu.inspection.opening import opened
        from deadrelu.inspection.subject import batch_size

        with opened(model, x[:8]) as ready:
            size = batch_size(ready.subject.records)
        model.eval()
        for start in range(0, len(x), size):
            rows = torch.tensor(x[start : start + size])
            model(rows.requires_grad_() if rows.is_floating_point() else rows).square().sum().backward()
    return {"seconds": time.perf_counter() - begun, "peak": _peak() - before}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(*, as_json: bool) -> None:
    """Measure each model in processes of its own, and print a table or JSON."""
    rows = []
    for name in INPUTS:
        costs = {}
        for kind in ("plain", "inspect"):
            call = f"inspect_costs.measured({name!r}, {kind!r})"
            code = f"import json; from benchmarks import inspect_costs; print(json.dumps({call}))"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            costs[kind] = json.loads(done.stdout.splitlines()[-1])
        ratio = costs["inspect"]["seconds"] / costs["plain"]["seconds"]
        more = costs["inspect"]["peak"] - costs["plain"]["peak"]
        rows.append({"model": name, "inputs": INPUTS[name], "time": ratio, "more_mb": more})
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    table = Table(title="inspect compared with a plain forward and backward pass, in batches of one size")
    for title in ("model", "inputs", "time, × plain", "peak memory, MB more"):
        table.add_column(title, justify="left" if title == "model" else "right")
    for row in rows:
        table.add_row(row["model"], f"{row['inputs']:,}", f"{row['time']:.1f}", f"{row['more_mb']:,.0f}")
    Console().print(table)
