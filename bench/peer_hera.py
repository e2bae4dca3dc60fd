"""Writes the graph of `specs.py` as an Argo workflow with Hera, as its users write it.

Usage: peer_hera.py STEPS OUTPUT [shared] (in an environment that has `hera[yaml]`). Every step has
a template of its own, as steps with different commands do and as mlspec emits them; with `shared`
all use one of two.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hera.workflows import (
    DAG,
    Artifact,
    Container,
    NoneArchiveStrategy,
    Task,
    WorkflowTemplate,
)
from specs import needs_of

IMAGE = "registry.example/bench@sha256:" + "0" * 64
MADE = Artifact(name="made", path="/out/made.txt", archive=NoneArchiveStrategy())
BEFORE = Artifact(name="before", path="/in/before.txt")


def template(index: int, *, reads: bool, shared: bool) -> Container:
    if shared:
        name, text = ("later" if reads else "first"), ""
    else:
        name, text = f"step-{index}", f" # {index}"
    command = "cat /in/before.txt" if reads else "echo"
    return Container(
        name=name,
        image=IMAGE,
        command=["sh", "-c", f"{command} > /out/made.txt{text}"],
        inputs=[BEFORE] if reads else [],
        outputs=[MADE],
    )


def main(steps: int, output: str, *, shared: bool) -> None:
    with WorkflowTemplate(name="bench", entrypoint="pipeline") as workflow:
        count = 8 if shared else steps
        made = [template(i, reads=needs_of(i)[0] is not None, shared=shared) for i in range(count)]
        if shared:
            workflow.templates = made[:2]
        with DAG(name="pipeline"):
            tasks: list[Task] = []
            for index in range(steps):
                data, order = needs_of(index)
                step = made[int(data is not None)] if shared else made[index]
                given = []
                if data is not None:
                    given = [tasks[data].get_artifact("made").with_name("before")]
                task = Task(name=f"step-{index}", template=step, arguments=given)
                for need in (data, order):
                    if need is not None:
                        tasks[need] >> task
                tasks.append(task)
    Path(output).write_text(workflow.to_yaml(), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], shared="shared" in sys.argv[3:])
