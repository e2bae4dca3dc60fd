"""The command line: a table of commands, each imported only when it is called.

Unknown commands and options exit with 64 (never 2, which means "plan has changes"); a disk that
refuses exits with 73; a bug exits with 70 and says how to report it; a closed pipe exits with 141,
Ctrl-C with 130.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import typer

from mlspec.cli import console
from mlspec.cli.exits import Exit
from mlspec.errors import MlspecBug

COMMANDS = {
    "init": "Write a small project that runs.",
    "validate": "Check a spec.",
    "graph": "Draw the pipelines.",
    "run": "Run a pipeline on this machine.",
    "runs": "List and compare runs.",
    "approve": "Answer an approval.",
    "approvals": "List approvals that are asked for.",
    "versions": "List versions of models.",
    "why": "Say why a version is what it is.",
    "reproduce": "Train a version again and compare.",
    "audit": "Show or verify what was done to versions.",
    "compile": "Write the files that engines run.",
    "plan": "Show what a change means.",
    "targets": "Show what each target can express.",
    "schema": "Print the JSON Schema for editors.",
    "explain": "Explain a code, a key, or the effective spec.",
    "step": "Run one step of a derived pipeline.",
}
"""Commands with their one-line help; the function `mlspec.cli.<name>:<name>` is the command."""

# Newer typer carries its own click; this is the usage error of whichever it uses.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]

_REFUSALS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
)
"""What a full, read-only or broken disk says: no bug of ours."""

_HOMES = {"approvals": "approve"}


def _register(app: typer.Typer, name: str) -> None:
    module = import_module(f"mlspec.cli.{_HOMES.get(name, name)}")
    target: Any = getattr(module, f"{name}_app", None)
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=name, help=COMMANDS[name])
    else:
        app.command(name, help=None)(getattr(module, name))


def build(names: Sequence[str]) -> typer.Typer:
    """Return the application with some of its commands."""
    app = typer.Typer(
        name="mlspec",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="The compiler for machine-learning applications.",
    )

    @app.callback()
    def root(  # pyright: ignore[reportUnusedFunction]
        color: str = typer.Option("auto", "--color", metavar="WHEN", help="auto, always, never."),
        version: bool = typer.Option(False, "--version", "-V", help="Print the version."),
    ) -> None:
        if version:
            from mlspec import __version__

            console.out(f"mlspec {__version__}")
            raise typer.Exit
        if color not in ("auto", "always", "never"):
            raise typer.BadParameter("write auto, always or never", param_hint="--color")
        console.set_color(color)

    for name in names:
        _register(app, name)
    return app


def _wanted(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the commands that this call needs: one, or all for help and mistakes."""
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--color":
            skip = True
        elif not argument.startswith("-"):
            return (argument,) if argument in COMMANDS else ()
    return tuple(COMMANDS)


def _unknown_command(arguments: Sequence[str]) -> NoReturn:
    from mlspec.diagnostics.suggest import nearest

    name = next(a for a in arguments if not a.startswith("-") and a not in COMMANDS)
    guess = nearest(name, COMMANDS)
    hint = f" Did you mean `{guess}`?" if guess else ""
    console.err(f"error: there is no command `{name}`.{hint} `mlspec --help` lists all.")
    sys.exit(Exit.USAGE)


def run(arguments: Sequence[str]) -> NoReturn:
    """Run the command line and exit."""
    names = _wanted(arguments)
    if not names:
        _unknown_command(arguments)
    try:
        result = build(names)(args=list(arguments), prog_name="mlspec", standalone_mode=False)
        sys.stdout.flush()
    except typer.Exit as error:
        sys.exit(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        console.err("interrupted")
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        # What reads our output has gone; a second error at shutdown would only confuse.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.BROKEN_PIPE)
    except (MlspecBug, RecursionError) as error:
        _bug(error)
    except OSError as error:
        if error.errno not in _REFUSALS:
            _bug(error)
        where = f"`{error.filename}`" if error.filename else "a file"
        console.err(f"error[ML905]: {where} could not be written: {error.strerror}")
        sys.exit(Exit.WOULD_OVERWRITE)
    except Exception as error:  # noqa: BLE001  the last line of defence: a report, not a traceback
        if isinstance(error, _USAGE_ERROR):
            _usage(error)
        _bug(error)
    sys.exit(result if isinstance(result, int) else Exit.OK)


def _usage(error: Any) -> NoReturn:
    context = error.ctx
    if type(error).__name__ == "NoArgsIsHelpError":
        console.err(error.format_message())
        sys.exit(Exit.USAGE)
    console.err(f"error: {error.format_message()}")
    if context is not None:
        console.err(f"help: `{context.command_path} --help` lists what there is")
    sys.exit(Exit.USAGE)


def _bug(error: BaseException) -> NoReturn:
    from mlspec import __version__

    if os.environ.get("MLSPEC_DEBUG"):
        raise error
    kind = type(error).__name__
    console.err(
        f"error[ML900]: mlspec broke one of its own rules: {kind}: {error}\n"
        f"  = note: mlspec {__version__}, Python {sys.version.split()[0]}\n"
        "  = help: please report this with the spec that caused it;"
        " MLSPEC_DEBUG=1 shows where it happened"
    )
    sys.exit(Exit.BUG)
