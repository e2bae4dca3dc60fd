"""Compiles the graph of `specs.py` with the Kubeflow Pipelines SDK, as its users write it.

Usage: peer_kfp.py STEPS OUTPUT [shared] (in an environment that has `kfp`). Every step has a
component of its own, as steps with different commands do; with `shared` all use one of two.
"""

import sys

from kfp import compiler, dsl
from specs import needs_of

IMAGE = "registry.example/bench@sha256:" + "0" * 64


def component(name: str, *, reads: bool):
    def first(made: dsl.Output[dsl.Artifact]):
        return dsl.ContainerSpec(
            image=IMAGE, command=["sh", "-c", f'echo "$0" > "$0" # {name}'], args=[made.path]
        )

    def later(before: dsl.Input[dsl.Artifact], made: dsl.Output[dsl.Artifact]):
        return dsl.ContainerSpec(
            image=IMAGE,
            command=["sh", "-c", f'cat "$0" > "$1" # {name}'],
            args=[before.path, made.path],
        )

    chosen = later if reads else first
    chosen.__name__ = name
    return dsl.container_component(chosen)


def main(steps: int, output: str, *, shared: bool) -> None:
    both = [component("first", reads=False), component("later", reads=True)]

    @dsl.pipeline(name="bench")
    def bench():
        tasks = []
        for index in range(steps):
            data, order = needs_of(index)
            reads = data is not None
            step = both[reads] if shared else component(f"step_{index}", reads=reads)
            task = step(before=tasks[data].outputs["made"]) if reads else step()
            if order is not None:
                task.after(tasks[order])
            tasks.append(task)

    compiler.Compiler().compile(bench, output)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], shared="shared" in sys.argv[3:])
