"""Libraries that only some specs need: found when they are wanted, or asked for by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mlspec.runtime.steps.contract import StepError


def library(module: str, who: str, package: str | None = None) -> Any:
    """Return a module of a library that is not among the requirements of mlspec.

    Args:
        module: name to import. who: who needs it, for the message.
        package: what `pip` installs; None: named like the module.

    Raises:
        StepError: it is not installed, or cannot be imported.
    """
    top = module.partition(".")[0]
    wanted = package or top
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        lacking = (error.name or "").partition(".")[0]
        hint = wanted if lacking in {top, ""} else f"{wanted} {lacking}"
        raise StepError(
            f"{who} needs `{wanted}`, which is not installed",
            help=f"pip install {hint} where steps run",
        ) from None
    except ImportError as error:
        raise StepError(f"{who} needs `{wanted}`, which cannot be imported: {error}") from None
