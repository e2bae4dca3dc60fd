"""Coverage-guided fuzzing of the loader and the layers; a script, not part of the test run.

Needs `pip install atheris`. Usage: `python tests/fuzz/fuzz_loader.py -max_total_time=60 [CORPUS]`.
Without atheris it falls back to random mutations of the design examples: `--random SECONDS`.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import atheris
except ImportError:
    atheris = None

if atheris is not None:
    with atheris.instrument_imports(include=["mlspec", "yaml"]):
        from mlspec.source import Origin, SourceFile
        from mlspec.spec.layers import apply_environment, resolve_extends
        from mlspec.yamlio.loader import load_text
        from mlspec.yamlio.locate import locate, provenance
        from mlspec.yamlio.nodes import Document, MapNode
else:
    from mlspec.source import Origin, SourceFile
    from mlspec.spec.layers import apply_environment, resolve_extends
    from mlspec.yamlio.loader import load_text
    from mlspec.yamlio.locate import locate, provenance
    from mlspec.yamlio.nodes import Document, MapNode


def read(text: str) -> None:
    """Read a text through all layers; any exception is a finding."""
    file = SourceFile("m.yaml", text)
    result = load_text(file)
    for diagnostic in result.diagnostics:
        span = diagnostic.at.span
        assert 0 <= span.start <= span.end <= len(text)
    if not result.ok or not isinstance(result.value, MapNode):
        return
    document = Document("m.yaml", result.value, {"m.yaml": file})
    extended = resolve_extends(document)
    for diagnostic in extended.diagnostics:
        assert locate(document, diagnostic.at) is not None
    environments = document.root.get("environments")
    names = environments.entries if isinstance(environments, MapNode) else {}
    for name in [*list(names)[:3], "missing"]:
        overlaid = apply_environment(extended.value, name)
        for diagnostic in overlaid.diagnostics:
            assert diagnostic.at is None or locate(extended.value, diagnostic.at) is not None
        for key in list(overlaid.value.root.entries)[:5]:
            provenance(overlaid.value, Origin("m.yaml") / key)


def one_input(data: bytes) -> None:
    """Entry point of atheris."""
    read(data.decode("utf-8", "surrogatepass" if data[:1] == b"\xed" else "replace"))


def random_inputs(seconds: float) -> int:
    """Mutate the design examples until the time is over; return how many texts were read."""
    texts = [
        path.read_text(encoding="utf-8") for path in (ROOT / "tests/inputs/design").glob("*.yaml")
    ]
    source = random.Random(0)
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        text = source.choice(texts)
        for _ in range(source.randint(1, 6)):
            at = source.randrange(len(text))
            piece = source.choice(
                [*"{}[]:,-?&*!|>'\"#%@`\n\t ", "null", "${a.b}", "extends: ", "like: ", "\n---\n"]
            )
            text = text[:at] + piece + text[at + source.choice([0, 1, 5, 50]) :]
        read(text)
        count += 1
    return count


if __name__ == "__main__":
    if "--random" in sys.argv:
        print(random_inputs(float(sys.argv[sys.argv.index("--random") + 1])), "texts read")
    elif atheris is None:
        sys.exit("install atheris, or use --random SECONDS")
    else:
        atheris.Setup(sys.argv, one_input)
        atheris.Fuzz()
