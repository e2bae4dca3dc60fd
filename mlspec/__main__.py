"""Entry point of the command line. `--version` answers without importing anything heavy."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line; never returns."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from mlspec import __version__

        sys.stdout.write(f"mlspec {__version__}\n")
        sys.exit(0)
    # Trees of many small records without cycles: looking for garbage takes a tenth of a command.
    gc.set_threshold(200_000, 50, 50)
    from mlspec.cli.app import run

    try:
        run(sys.argv[1:])
    finally:
        gc.freeze()  # the interpreter would look through everything once more when it ends


if __name__ == "__main__":
    main()
