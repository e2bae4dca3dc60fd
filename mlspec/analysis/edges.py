"""Inputs and outputs: what a value names (decision B1), and which step it makes another wait for.

Input: the steps of a pipeline as written. Output: IR inputs and outputs; unresolvable ones are
reported and left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.analysis.matrix import same_matrix
from mlspec.analysis.paths import project_path, written_path
from mlspec.analysis.texts import refuse_references
from mlspec.diagnostics.codes import graph as graph_codes
from mlspec.diagnostics.codes import names as codes
from mlspec.diagnostics.model import Diagnostic, Label
from mlspec.diagnostics.suggest import nearest
from mlspec.ir.model import (
    DataInput,
    Input,
    Matrix,
    Output,
    Pairing,
    RepoInput,
    StageMode,
    StepInput,
)
from mlspec.source import Origin
from mlspec.spec.model import InputSpec, OutputSpec, StepSpec

_STEP_OUTPUT = re.compile(r"([^./]+)\.([^./]+)\Z")
_EXTENSIONS = {"parquet": ".parquet", "csv": ".csv", "jsonl": ".jsonl", "json": ".json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What inputs and outputs of a pipeline can name.

    Attributes:
        steps: the steps as written, by id.
        matrices: matrices of the steps that have one.
        producers: data nouns that a step of this pipeline produces: (step, output).
        formats: data nouns of the application with their format.
        folder: folder of the file that contains a value, by its origin's step.
    """

    steps: Mapping[str, StepSpec]
    matrices: Mapping[str, Matrix]
    producers: Mapping[str, tuple[str, str]]
    formats: Mapping[str, str | None]


def build_input(
    spec: InputSpec, step: StepSpec, folder: str, around: Surroundings, found: list[Diagnostic]
) -> Input | None:
    """Return what an input names, or None when it names nothing."""
    if refuse_references(spec.text, spec.at, "an input", found):
        return None
    if "/" in spec.text:
        path = project_path(spec.text, folder, spec.at, "the input", found)
        if path is not None and spec.mode is StageMode.URI:
            found.append(_uri_only_for_data(spec.at))
        return None if path is None else RepoInput(name=spec.name, path=path, at=spec.at)
    match = _STEP_OUTPUT.match(spec.text)
    if match is not None:
        if spec.mode is StageMode.URI:
            found.append(_uri_only_for_data(spec.at))
        return _step_input(spec, match[1], match[2], step, around, found)
    if spec.text in around.producers:
        producer, output = around.producers[spec.text]
        if producer != step.id:
            if spec.mode is StageMode.URI:
                found.append(_uri_only_for_data(spec.at))
            return _step_input(spec, producer, output, step, around, found)
    if spec.text in around.formats:
        return DataInput(name=spec.name, data=spec.text, mode=spec.mode, at=spec.at)
    found.append(_unknown_data(spec.text, spec.at, around))
    return None


def _uri_only_for_data(at: Origin) -> Diagnostic:
    return Diagnostic(
        code=codes.REFERENCE_NOT_ALLOWED,
        message="`as: uri` is for data nouns that exist before the run",
        at=at,
        help=("leave `as` out: files and step outputs are staged as local paths",),
    )


def _unknown_data(text: str, at: Origin, around: Surroundings) -> Diagnostic:
    guess = nearest(text, around.formats)
    help_ = [f"write `./{text}` if it is a path of the repository"]
    if text in around.steps:
        outputs = [output.name for output in around.steps[text].outputs]
        help_.insert(0, f"write `{text}.{outputs[0] if outputs else '<output>'}` for its output")
    return Diagnostic(
        code=codes.UNKNOWN_DATA,
        message=f"no data noun is called `{text}`",
        at=at,
        label=f"did you mean `{guess}`?" if guess else "",
        help=tuple(help_),
    )


def find_output(
    producer: str, output: str, at: Origin, user: str, around: Surroundings, found: list[Diagnostic]
) -> StepSpec | None:
    """Return the step of a `step.output` reference, or report why there is none."""
    step = around.steps.get(producer)
    if step is None:
        guess = nearest(producer, around.steps)
        help_ = (f"write `./{producer}.{output}` if it is a file of the repository",)
        found.append(
            Diagnostic(
                code=codes.UNKNOWN_STEP,
                message=f"`{user}` refers to a step `{producer}` that does not exist",
                at=at,
                label=f"did you mean `{guess}`?" if guess else "",
                help=() if guess else help_,
            )
        )
        return None
    names = tuple(item.name for item in step.outputs)
    if output not in names:
        guess = nearest(output, names)
        here = ", ".join(f"`{name}`" for name in names) or "none"
        found.append(
            Diagnostic(
                code=codes.UNKNOWN_OUTPUT,
                message=f"step `{producer}` has no output `{output}`",
                at=at,
                label=f"did you mean `{guess}`?" if guess else "",
                labels=(Label(step.at.key(), f"outputs of `{producer}`: {here}"),),
            )
        )
        return None
    return step


def _step_input(
    spec: InputSpec,
    producer: str,
    output: str,
    step: StepSpec,
    around: Surroundings,
    found: list[Diagnostic],
) -> StepInput | None:
    if find_output(producer, output, spec.at, step.id, around, found) is None:
        return None
    theirs, mine = around.matrices.get(producer), around.matrices.get(step.id)
    pairing = Pairing.PLAIN
    if theirs is not None and mine is None:
        pairing = Pairing.FOLDER
    elif theirs is not None and mine is not None:
        pairing = Pairing.PARTNER
        if not same_matrix(theirs, mine):
            found.append(_mismatch(spec, producer, step.id, theirs, mine))
    return StepInput(name=spec.name, step=producer, output=output, pairing=pairing, at=spec.at)


def _mismatch(
    spec: InputSpec, producer: str, consumer: str, theirs: Matrix, mine: Matrix
) -> Diagnostic:
    return Diagnostic(
        code=graph_codes.MATRIX_MISMATCH,
        message=f"the matrices of `{consumer}` and `{producer}` do not have the same combinations",
        at=spec.at,
        labels=(
            Label(mine.at, f"keys {', '.join(mine.keys)} here"),
            Label(theirs.at, f"keys {', '.join(theirs.keys)} here"),
        ),
        help=(
            (
                "give both the same matrix (each gets its partner),"
                " or the consumer none (it gets a folder)"
            ),
        ),
    )


def build_output(
    spec: OutputSpec, folder: str, around: Surroundings, found: list[Diagnostic]
) -> Output | None:
    """Return an output, or None when its value is neither a path nor a data noun."""
    if refuse_references(spec.text, spec.at, "an output", found):
        return None
    if "/" in spec.text:
        path = written_path(spec.text, folder, spec.at, "the output", found)
        return None if path is None else Output(name=spec.name, path=path, at=spec.at)
    if spec.text in around.formats:
        extension = _EXTENSIONS.get(around.formats[spec.text] or "", "")
        return Output(
            name=spec.name,
            path=f"mlspec-out/{spec.name}{extension}",
            data=spec.text,
            mode=spec.mode,
            at=spec.at,
        )
    found.append(_unknown_data(spec.text, spec.at, around))
    return None
