"""Specs of any size for measurements: chains with data edges, tied together by order edges.

A step is five to seven lines and 20 YAML events: a command, an input, an order edge, an output, a
timeout.
The same graph is built by `peer_kfp.py` and `peer_hera.py`, and by hand for Airflow: what is
compared is the same work. `needs_of` is the only place that knows the graph.
"""

from __future__ import annotations

from pathlib import Path

CHAIN = 4
"""Steps in a row; each reads what the one before it wrote."""


def needs_of(index: int, first: int = 0) -> tuple[int | None, int | None]:
    """Return (step whose output it reads, step it only waits for), None where there is none.

    Args:
        index: number of the step.
        first: number of the first step of its pipeline.
    """
    at = index - first
    return (index - 1 if at % CHAIN else None), (index - CHAIN if at >= CHAIN else None)


def spec_text(steps: int, *, per_pipeline: int | None = None, image: bool = False) -> str:
    """Return a spec with `steps` steps.

    Args:
        steps: how many in all.
        per_pipeline: steps of a pipeline; None: one pipeline has them all.
        image: whether steps run in an image (what Kubernetes asks for).
    """
    size = per_pipeline or steps
    lines = [
        'mlspec: "1"',
        "app: {name: bench, owner: bench}",
        "environments: {production: {store: 's3://bench/runs/'}}",
        "pipelines:",
    ]
    for index in range(steps):
        first = index - index % size
        if index == first:
            lines += [f"  p{index // size}:"]
            if image:
                digest = "0" * 64
                lines += [f"    defaults: {{image: 'registry.example/bench@sha256:{digest}'}}"]
            lines += ["    steps:"]
        data, order = needs_of(index, first)
        lines += [f"      step-{index}:"]
        if data is not None:
            lines += ["        run: cat ${inputs.before} > ${outputs.made}"]
            lines += [f"        inputs: {{before: step-{data}.made}}"]
        else:
            lines += [f"        run: echo {index} > ${{outputs.made}}"]
        if order is not None:
            lines += [f"        needs: [step-{order}]"]
        lines += [f"        outputs: {{made: out/{index}.txt}}", "        timeout: 10m"]
    return "\n".join(lines) + "\n"


def write_spec(folder: Path, steps: int, **options: object) -> Path:
    """Write a spec as `mlspec.yaml` into a folder, which is made; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mlspec.yaml"
    path.write_text(spec_text(steps, **options), encoding="utf-8")  # type: ignore[arg-type]
    return path
