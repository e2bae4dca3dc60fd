"""`mlspec plan`: what a change of the spec means, before anything is generated or run."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from mlspec import __version__
from mlspec.cli.console import out, show_report, use_color
from mlspec.cli.exits import Exit
from mlspec.cli.load import exit_code, spec_path
from mlspec.cli.options import SPEC, Env, File, TextOrJson, one_of
from mlspec.diagnostics.model import Diagnostic, has_errors
from mlspec.diagnostics.report import Report
from mlspec.frontend import Analysed, analyse, documents_of, load, make_report
from mlspec.ir.model import Application
from mlspec.planning.baseline import Baseline, find_baseline
from mlspec.planning.canonical import Kind
from mlspec.planning.diff import Change, Difference, Removed, diff
from mlspec.planning.summary import Plan, PlanPlace, Version, digest_applications, merge
from mlspec.source import Origin
from mlspec.yamlio.nodes import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One version: what the front end made of it, for the spec itself (None) or environments.

    Attributes:
        shown: for each file, the path that people see, relative to the project.
    """

    analysed: tuple[Analysed, ...] = ()
    environments: tuple[str, ...] = ()
    shown: Mapping[str, str] = field(default_factory=dict)

    @property
    def applications(self) -> dict[str | None, Application]:
        """Applications by environment."""
        return {
            one.environment: one.application for one in self.analysed if one.application is not None
        }

    @property
    def documents(self) -> Mapping[str, Document]:
        """All trees that origins lead to."""
        return documents_of(self.analysed)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All findings."""
        return tuple(found for one in self.analysed for found in one.diagnostics)

    @property
    def readable(self) -> bool:
        """Whether there is an application for everything that was asked for."""
        return bool(self.analysed) and all(one.application is not None for one in self.analysed)

    def texts(self) -> dict[str, str]:
        """Texts of all files by the path that people see."""
        return {
            self.shown.get(name, name): file.text
            for document in self.documents.values()
            for name, file in document.files.items()
        }


def plan(
    file: File = SPEC,
    env: Env = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="REF|FILE|DIR",
            help="What to compare with; default: where this branch left the default branch.",
        ),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 when there are changes.")
    ] = False,
    output: TextOrJson = "text",
) -> None:
    """Show what changed between two versions of a spec: by meaning, not by text."""
    one_of(output, ("text", "json"), "--format")
    spec = spec_path(file)
    head = _head(spec, env)
    if not head.readable:
        _stop(head, output, exit_code(head.diagnostics))
    with TemporaryDirectory(prefix="mlspec-plan-") as scratch:
        found = find_baseline(spec, against, Path(scratch).resolve())
        if found.value is None:
            report = make_report(found.diagnostics, {})
            _print_errors(report, output)
            raise typer.Exit(Exit.NO_INPUT)
        base = _base(found.value, spec, env)
        if not base.readable and not found.value.is_new:
            _stop(base, output, Exit.ERRORS, label=found.value.label)
        made = _plan(spec, found.value, base, head)
    _print(made, head, output)
    if has_errors(head.diagnostics):
        raise typer.Exit(exit_code(head.diagnostics))
    raise typer.Exit(Exit.CHANGES if detailed_exitcode and made.has_changes else Exit.OK)


# ------------------------------------------------------------------ reading both sides


def _head(spec: Path, env: str | None) -> _Side:
    loaded = load(spec)
    names: tuple[str | None, ...] = (env,) if env is not None else loaded.environments or (None,)
    analysed = tuple(analyse(loaded, name) for name in names)
    return _Side(analysed=analysed, environments=loaded.environments)


def _base(baseline: Baseline, spec: Path, env: str | None) -> _Side:
    """Read the baseline for the same environments; one that it has not is left out."""
    if baseline.is_new:
        return _Side()
    here = Path.cwd()
    in_git = baseline.commit is not None
    place = baseline.spec.relative_to(baseline.root) if in_git else baseline.spec
    with contextlib.chdir(baseline.root if in_git else here):
        loaded = load(place)
        names: tuple[str | None, ...] = loaded.environments or (None,)
        if env is not None:
            names = (env,) if env in loaded.environments else (None,)
        analysed = tuple(analyse(loaded, name) for name in names)
    shown = {}
    if in_git:
        # Both sides show the same file under the same name: as it is called from here.
        above = baseline.spec.parent.relative_to(baseline.root)
        for document in documents_of(analysed).values():
            for name in document.files:
                with contextlib.suppress(ValueError):
                    inner = Path(name).relative_to(above).as_posix()
                    shown[name] = (spec.parent / inner).as_posix()
    return _Side(analysed=analysed, environments=loaded.environments, shown=shown)


# ------------------------------------------------------------------ comparing


def _plan(spec: Path, baseline: Baseline, base: _Side, head: _Side) -> Plan:
    old, new = base.applications, head.applications
    differences = _differences(old, new)
    entries, indirect, renames, unchanged = merge(
        differences, lambda change: _locate(change, base, head)
    )
    any_app = next(iter(new.values()))
    return Plan(
        application=any_app.name,
        spec=spec.name,
        base=Version(
            label=baseline.label,
            ref=baseline.ref,
            commit=baseline.commit,
            digest=digest_applications(old) if old else None,
        ),
        head=Version(label="working tree", digest=digest_applications(new)),
        environments=tuple(sorted(name for name in new if name is not None)),
        entries=entries,
        indirect=indirect,
        renames=renames,
        unchanged=unchanged,
        reformatted=_reformatted(base, head) if not entries else 0,
        is_new=baseline.is_new,
        complete=head.readable and not has_errors(head.diagnostics),
    )


def _differences(
    old: Mapping[str | None, Application], new: Mapping[str | None, Application]
) -> dict[str | None, Difference]:
    """Compare every environment that both sides have; others come or go as a whole."""
    common = [name for name in new if name in old]
    if not old:
        return {name: diff(None, one) for name, one in new.items()}
    if not common:
        first_old, first_new = next(iter(old.values())), next(iter(new.values()))
        return {next(iter(new)): diff(first_old, first_new)}
    found: dict[str | None, Difference] = {name: diff(old[name], new[name]) for name in common}
    for name, one in new.items():
        if name not in old:
            found[name] = _only_environment(diff(None, one))
    for name, one in old.items():
        if name not in new:
            found[name] = _only_environment(diff(one, None))
    return found


def _only_environment(difference: Difference) -> Difference:
    kept = tuple(one for one in difference.changes if one.kind is Kind.ENVIRONMENT)
    return Difference(changes=kept)


def _locate(change: Change, base: _Side, head: _Side) -> PlanPlace | None:
    side = base if isinstance(change, Removed) else head
    name = "base" if side is base else "head"
    return _place(change.at, name, side)


def _place(at: Origin, name: str, side: _Side) -> PlanPlace | None:
    from mlspec.yamlio.locate import locate

    document = side.documents.get(at.document)
    found = locate(document, at) if document is not None else None
    if found is None:
        return None
    file, span = found
    line = file.position(span.start).line
    return PlanPlace(side=name, file=side.shown.get(file.id, file.id), line=line)


def _reformatted(base: _Side, head: _Side) -> int:
    old, new = base.texts(), head.texts()
    return sum(1 for name, text in new.items() if name in old and old[name] != text)


# ------------------------------------------------------------------ what is printed


def _print(made: Plan, head: _Side, output: str) -> None:
    report = make_report(head.diagnostics, head.documents)
    if output == "json":
        from mlspec.diagnostics.render.json import report_data
        from mlspec.planning.render_json import plan_data

        data = report_data(report, command="plan", version=__version__, complete=made.complete)
        kept = {key: data[key] for key in ("mlspec_version", "command", "valid", "diagnostics")}
        out(json.dumps({**plan_data(made), **kept}, indent=1) + "\n")
        return
    from mlspec.planning.render_text import render_text

    if has_errors(head.diagnostics):
        show_report(report, "text", "plan", complete=made.complete)
    out(render_text(made, color=use_color(sys.stdout)))


def _print_errors(report: Report, output: str) -> None:
    show_report(report, output, "plan", complete=False)


def _stop(side: _Side, output: str, code: Exit, label: str = "") -> None:
    """Say why a side cannot be read, and exit; `label` names the version to compare with."""
    note = (f"this is the version to compare with, `{label}`",) if label else ()
    found = [replace(one, notes=(*one.notes, *note)) for one in side.diagnostics]
    _print_errors(make_report(found, side.documents), output)
    raise typer.Exit(code)
