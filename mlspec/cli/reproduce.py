"""`mlspec reproduce`: train a version again and compare.

Input: a version. Its code is that of the recorded commit (a worktree of its own, unless that commit
is checked out as it is), its spec must be the recorded one, its data are read again. The pipeline
runs to its package, in a store beside the project that nothing else reads: nothing is registered.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlspec.cli.console import err, out
from mlspec.cli.exits import Exit
from mlspec.cli.load import spec_path
from mlspec.cli.options import SPEC, Env, File, TextOrJson, one_of
from mlspec.cli.place import Place, find_version, open_place, told
from mlspec.cli.run_view import PlainView
from mlspec.cli.wording import printable
from mlspec.ir.kinds import Kind
from mlspec.ir.model import Application, Environment, Pipeline
from mlspec.runtime.model import STATE_FOLDER

if TYPE_CHECKING:
    from mlspec.runtime.registry import Version
    from mlspec.runtime.reproduction import Difference

TOLERANCE = 1e-6
_KEPT_OUT = frozenset({"profiles"})
"""What a training leaves in the store of its data, and must not find or change here."""


def reproduce(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Such as `ctr@3` or `ctr@champion`.")
    ],
    file: File = SPEC,
    env: Env = None,
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", min=0.0, help="Largest difference that counts as none."),
    ] = TOLERANCE,
    output: TextOrJson = "text",
) -> None:
    """Train a version again from its commit, spec and data, and compare predictions and metrics.

    Exit codes: 0 the same, 1 not the same, 20 a step failed.
    """
    one_of(output, ("text", "json"), "--format")
    place = open_place(file, env, command="reproduce")
    with told():
        from mlspec.runtime.reproduction import compare_packages

        registry = place.registry()
        found = find_version(registry, version)
        folder = _fresh(place, found)
        with _code_of(place, file, found) as there:
            package = _train(there, found, folder, place)
            before = registry.fetch(found, folder / "version")
            differences = compare_packages(before, package, tolerance)
    same = all(one.same for one in differences if one.decides)
    if output == "json":
        out(json.dumps(_data(found, differences, same=same), indent=2))
    else:
        _show(found, differences, same=same)
    raise typer.Exit(Exit.OK if same else Exit.ERRORS)


def _fresh(place: Place, version: Version) -> Path:
    """Return an empty folder beside the project's other state."""
    folder = place.project / STATE_FOLDER / "reproductions" / f"{version.model}-{version.number}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    return folder


@contextmanager
def _code_of(place: Place, file: Path, version: Version) -> Iterator[Place]:
    """Give the place of the code that a version was made from.

    Raises:
        typer.Exit: the commit is not here.
    """
    commit = str(version.provenance.get("commit") or "")
    if not commit:
        err("note: the version has no commit; the code is what lies here now")
        yield place
        return
    top = _git(place.project, "rev-parse", "--show-toplevel")
    if top is None:
        err(f"note: this is no git checkout; the code is what lies here now, not commit {commit}")
        yield place
        return
    is_here = _git(place.project, "rev-parse", "HEAD") == commit
    if is_here and _git(place.project, "status", "--porcelain", "--untracked-files=no") == "":
        yield place
        return
    err(f"the code of {version.name} is commit {commit[:12]}: checked out beside")
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "code"
        if _git(place.project, "worktree", "add", "--detach", str(tree), commit) is None:
            err(f"error: commit {commit} of {version.name} is not in this repository")
            err("  = help: git fetch --unshallow, or fetch the branch that has it")
            raise typer.Exit(Exit.NO_INPUT)
        try:
            inside = spec_path(file).resolve().relative_to(Path(top).resolve())
            yield open_place(tree / inside, _declared(place), command="reproduce")
        finally:
            _git(place.project, "worktree", "remove", "--force", str(tree))


def _declared(place: Place) -> str | None:
    """Return the name of the environment, None when the spec declares none."""
    environment = place.application.environment
    return None if environment == Environment() else environment.name


def _git(folder: Path, *words: str) -> str | None:
    """Return what git says; None when it fails, or is not there."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=300
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Training:
    """A pipeline up to its package.

    Attributes:
        step: id of the step that packages.
    """

    pipeline: Pipeline
    step: str


def _train(place: Place, version: Version, folder: Path, home: Place) -> Path:
    """Run the pipeline of a version up to its package; return the package.

    Raises:
        typer.Exit: the spec is another one, or a step fails.
    """
    from mlspec.runtime.interpreter import run_pipeline
    from mlspec.runtime.layout import Layout
    from mlspec.runtime.model import RunOptions

    training = _training(place, version)
    store = folder / "store"
    _lend(home, store)
    application = _with(place.application, training.pipeline, store)
    options = RunOptions(date=str(version.facts.get("date") or "") or None, wait=False)
    with PlainView(place.project, summary=False) as view:
        result = run_pipeline(application, training.pipeline.id, place.project, options, view)
    if result.exit_code != 0 or result.record is None:
        for one in result.diagnostics:
            err(f"error: {printable(one.message)}")
        err(f"error: {version.name} cannot be trained again: see the log of the failing step")
        raise typer.Exit(result.exit_code or Exit.STEP_FAILED)
    layout = Layout(
        project=place.project,
        store=store,
        application=application.name,
        pipeline=training.pipeline.id,
        run=result.record.id,
    )
    step = training.pipeline.step(training.step)
    package = next(one for one in step.outputs if one.name == "package")
    return layout.output(step.id, "", package)


def _training(place: Place, version: Version) -> _Training:
    """Return the pipeline that makes a version, without what comes after its package."""
    subject = f"models.{version.model}"
    node = place.node(version.model)
    if node is None:
        err(f"error: this spec makes no versions of `{version.model}`")
        raise typer.Exit(Exit.NO_INPUT)
    if node.spec != version.provenance.get("spec"):
        err(f"error: the spec of `{subject}` is not the one that made {version.name}")
        err(f"  = note: {version.provenance.get('spec')} then, {node.spec} here")
        err("  = help: check out the commit or the spec that made it")
        raise typer.Exit(Exit.ERRORS)
    pipeline = place.application.pipeline(node.pipeline)
    package = next(
        (one for one in pipeline.steps if one.kind is Kind.PACKAGE and one.subject == subject), None
    )
    if package is None:
        err(f"error: {version.name} was delivered, not trained, in `{place.environment}`")
        err("  = help: reproduce it in the environment where it was trained: --env NAME")
        raise typer.Exit(Exit.ERRORS)
    wanted = _ancestors(pipeline, package.id)
    steps = tuple(one for one in pipeline.steps if one.id in wanted)
    # A name of its own: `mlspec run --resume` goes on with the newest run of a pipeline.
    made = replace(pipeline, id=f"reproduce-{pipeline.id}", steps=steps, final=None)
    return _Training(pipeline=made, step=package.id)


def _ancestors(pipeline: Pipeline, step_id: str) -> set[str]:
    """Return a step and all that it needs, directly or not."""
    found, waiting = set(), [step_id]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += pipeline.step(one).needs
    return found


def _with(application: Application, pipeline: Pipeline, store: Path) -> Application:
    """Return the application with one pipeline only, in another store, asking nobody."""
    environment = replace(application.environment, store=store.absolute().as_uri(), approvals=())
    return replace(application, pipelines=(pipeline,), environment=environment)


def _lend(place: Place, store: Path) -> None:
    """Let a store see the versions of data and models of another one; it writes beside them."""
    from mlspec.runtime.layout import local_path

    source = local_path(place.store, place.project)
    if source is None:
        return
    for noun in _entries(source / place.app / "data"):
        target = store / place.app / "data" / noun.name
        target.mkdir(parents=True)
        for entry in _entries(noun):
            if entry.name not in _KEPT_OUT:
                (target / entry.name).symlink_to(entry)
    registry = source / place.app / "registry"
    if registry.is_dir():
        (store / place.app).mkdir(parents=True, exist_ok=True)
        (store / place.app / "registry").symlink_to(registry)


def _entries(folder: Path) -> Iterable[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()


def _data(version: Version, differences: Iterable[Difference], *, same: bool) -> dict[str, object]:
    return {
        "format_version": "1.0",
        "version": version.name,
        "reproduced": same,
        "compared": [
            {
                "what": one.what,
                "before": one.before,
                "now": one.now,
                "same": one.same,
                "decides": one.decides,
            }
            for one in differences
        ],
    }


def _show(version: Version, differences: Iterable[Difference], *, same: bool) -> None:
    for one in differences:
        word = "same" if one.same else ("DIFFERS" if one.decides else "differs")
        values = one.before if one.before == one.now else f"{one.before} -> {one.now}"
        out(printable(f"{word:<8} {one.what}: {values}"))
    out(f"{version.name} is {'reproduced' if same else 'not reproduced'}")
