"""Specs of any size for measurements: layers of steps with data and order edges, as one file."""

from __future__ import annotations

import sys
from pathlib import Path


def spec_text(steps: int) -> str:
    """Return a spec with one pipeline of `steps` steps; every fourth starts a chain of its own."""
    lines = ['mlspec: "1"', "app: {name: bench, owner: bench}", "pipelines:", "  p:", "    steps:"]
    for index in range(steps):
        lines += [f"      step-{index}:", f"        run: echo ${{run.id}} {index}"]
        if index % 4:
            lines += [f"        inputs: {{before: step-{index - 1}.made}}"]
        elif index >= 4:
            lines += [f"        needs: [step-{index - 4}]"]
        lines += [f"        outputs: {{made: out/{index}.txt}}", "        timeout: 10m"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(spec_text(int(sys.argv[1])))
