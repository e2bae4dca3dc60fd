"""The project's own functions: found, called, and their faults told in their own lines.

Duty: `module:function` of a spec to a callable, from the project's folder only. In: a reference and
the folder. Out: the function, what it returns, or a `StepError` that shows the project's lines and
none of ours. Invariants: the text is a dotted name, never code; a module that lies outside the
project (the standard library, an installed package) is refused before it is imported.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from mlspec.runtime.steps.contract import StepError

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_INSTALLED = {"site-packages", "dist-packages"}
_FOREIGN = tuple(
    {
        Path(place).resolve()
        for place in (
            sysconfig.get_path("stdlib"),
            sysconfig.get_path("platstdlib"),
            Path(__file__).parents[1],
        )
    }
)
"""Folders whose frames are not the user's."""
_ENDS = 5
"""Lines of a deep call that are shown of its beginning, and of its end."""

_homes: dict[str, Path] = {}
"""Project that each top-level module was loaded from: a process may serve several, one by one."""


def load_function(reference: str, project: Path) -> Callable[..., Any]:
    """Return a function of the project.

    Args:
        reference: `module:function`, such as `ctr.features:impression`.
        project: folder of the spec; modules are looked for below it.

    Raises:
        StepError: the text is no reference; there is no such module or function; the module is not
            the project's; importing it failed (with the project's own lines).
    """
    if not _REFERENCE.fullmatch(reference):
        raise StepError(f"`{reference}` is no function", help="write `module:function`")
    name, _, attribute = reference.partition(":")
    project = project.resolve()
    top = name.partition(".")[0]
    _forget_other_project(top, project)
    _require_in_project(top, name, project)
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    _homes[top] = project  # also when the import fails halfway: its packages are loaded
    with user_code(reference, project):
        module = _import(name, project)
    place = getattr(module, "__file__", None)
    if place is None or not is_inside(Path(place), project):
        raise StepError(
            f"`{name}` is another module than the project's: {place or 'part of Python'}",
            help="give the project's module another name",
        )
    found = getattr(module, attribute, None)
    if not callable(found):
        names = _functions_of(module)
        raise StepError(
            f"`{_short(Path(place), project)}` has no function `{attribute}`",
            help=f"it has {', '.join(f'`{one}`' for one in names)}" if names else "",
        )
    return found  # type: ignore[no-any-return]  # `getattr` knows no type


def call_by_name(
    function: Callable[..., Any], offered: Mapping[str, object], *, project: Path | None = None
) -> Any:
    """Call a function with those of the offered arguments that its signature asks for.

    Args:
        function: its parameters may stand in any order; `**kwargs` gets everything that is left.
        offered: values by name.
        project: folder that lines are shown relative to; None: the current one.

    Raises:
        StepError: it requires a name that is not offered; it raised (with the project's lines).
    """
    reference = reference_of(function)
    wanted: dict[str, object] = {}
    for parameter in _parameters(function, reference):
        if parameter.kind is parameter.VAR_KEYWORD:
            return _called(function, {**offered, **wanted}, reference, project)
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.name in offered and parameter.kind is not parameter.POSITIONAL_ONLY:
            wanted[parameter.name] = offered[parameter.name]
        elif parameter.default is parameter.empty:
            raise StepError(
                f"`{reference}` asks for `{parameter.name}`, which is not offered",
                help=f"offered are {', '.join(f'`{name}`' for name in offered)}",
            )
    return _called(function, wanted, reference, project)


def reference_of(function: Callable[..., Any]) -> str:
    """Return the `module:function` of a function."""
    owner = getattr(function, "__module__", None) or type(function).__module__
    return f"{owner}:{getattr(function, '__qualname__', type(function).__qualname__)}"


@contextmanager
def user_code(reference: str, project: Path | None = None, *, doing: str = "") -> Iterator[None]:
    """Tell what the project's code raises in the project's own lines.

    Args:
        reference: what is running, `module:function`.
        project: folder that lines are shown relative to; None: the current one.
        doing: where it was, such as `row 12`; may be empty.

    Raises:
        StepError: instead of any exception, and of `sys.exit`, inside the block; not instead of an
            interruption.
    """
    try:
        yield
    except (StepError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise fault(error, reference, project, doing=doing) from error


def fault(
    error: BaseException, reference: str, project: Path | None = None, *, doing: str = ""
) -> StepError:
    """Return the error for people: what was raised, and the project's lines that led there."""
    home = (project or Path.cwd()).resolve()
    lines = _some(
        [
            f"  {_short(Path(frame.filename), home)}:{frame.lineno} in {frame.name}"
            + (f": {frame.line}" if frame.line else "")
            for frame in traceback.extract_tb(error.__traceback__)
            if _is_users(frame.filename)
        ]
    )
    if isinstance(error, SyntaxError) and error.filename:
        lines.append(f"  {_short(Path(error.filename), home)}:{error.lineno}")
    if isinstance(error, SystemExit):
        what = f"it called `sys.exit({error.code!r})`"
    else:
        what = ("".join(traceback.format_exception_only(error)).strip().splitlines() or ["?"])[-1]
    where = f" at {doing}" if doing else ""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    return StepError(
        "\n".join([f"`{reference}` failed{where}: {what}", *lines]),
        help=f"install `{missing}` where steps run" if missing else "",
    )


def _some(lines: list[str]) -> list[str]:
    """Return lines without the middle of a long recursion."""
    if len(lines) <= 2 * _ENDS:
        return lines
    left_out = f"  ... {len(lines) - 2 * _ENDS} lines more"
    return [*lines[:_ENDS], left_out, *lines[-_ENDS:]]


def _called(
    function: Callable[..., Any],
    arguments: Mapping[str, object],
    reference: str,
    project: Path | None,
) -> Any:
    with user_code(reference, project):
        return function(**arguments)


def _parameters(function: Callable[..., Any], reference: str) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise StepError(f"`{reference}` does not say which arguments it takes") from error


def _import(name: str, project: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise _no_module(name, project) from None
        raise


def _no_module(name: str, project: Path) -> StepError:
    path = name.replace(".", "/")
    return StepError(
        f"the project has no module `{name}`",
        help=f"looked for {path}.py and {path}/__init__.py in {project.name or project}",
    )


def _require_in_project(top: str, name: str, project: Path) -> None:
    """Refuse a module that is not the project's, before any of its code runs."""
    importlib.invalidate_caches()  # files may be newer than what the finder saw
    found = PathFinder.find_spec(top, [str(project)])
    if found is not None and _places(found):
        return
    found = PathFinder.find_spec(top)  # an editable install, such as a `src` folder
    if found is None and top not in sys.builtin_module_names:
        raise _no_module(name, project)
    if found is None or not any(is_inside(place, project) for place in _places(found)):
        raise StepError(
            f"`{top}` is not a module of the project",
            help="functions are taken from the project's own files only",
        )


def _places(found: ModuleSpec) -> list[Path]:
    if found.submodule_search_locations is not None:
        return [Path(place) for place in found.submodule_search_locations]
    return [Path(found.origin)] if found.origin else []


def _forget_other_project(top: str, project: Path) -> None:
    """Drop a module of the same name that an earlier call loaded from another folder."""
    before = _homes.get(top)
    if before is None or before == project:
        return
    for name in [one for one in sys.modules if one == top or one.startswith(f"{top}.")]:
        del sys.modules[name]
    if str(before) in sys.path:
        sys.path.remove(str(before))
    del _homes[top]


def is_inside(place: Path, project: Path) -> bool:
    """Whether a file is the project's: below its folder, and not installed there.

    A step's workspace is a folder of links to the checkout (docs/adr/0002): what the project's
    own links lead to is the project's.
    """
    named, real = Path(os.path.abspath(place)), place.resolve()  # noqa: PTH100  links are kept
    inside = named.is_relative_to(project) or real.is_relative_to(project)
    return inside and not _INSTALLED & set(real.parts)


def _is_users(filename: str) -> bool:
    if filename.startswith("<"):
        return False
    place = Path(filename).resolve()
    if _INSTALLED & set(place.parts):
        return False
    return not any(place.is_relative_to(folder) for folder in _FOREIGN)


def _short(place: Path, project: Path) -> str:
    place = place.resolve()
    return place.relative_to(project).as_posix() if place.is_relative_to(project) else place.name


def _functions_of(module: Any) -> list[str]:
    return sorted(
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    )
