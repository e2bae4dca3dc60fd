"""Measures mlspec beside its peers in one run and prints the tables of docs/explanation/speed.md.

Usage: python bench/run.py [--rounds N] [--largest STEPS] [--write]

Peers are measured if they are installed (`tests/engines/install.sh bench airflow`). `--write`
puts the tables into the page; nothing else is written. Exit 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from measure import Cost, Job, environment, measure, once  # noqa: E402  after the path is set
from specs import write_spec  # noqa: E402

PAGE = ROOT / "docs" / "explanation" / "speed.md"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
SIZES = (10, 100, 1000, 10_000)
PEER_SIZES = (1000, 3000)
PIECE = 100
MLSPEC = (sys.executable, "-m", "mlspec")

COMMANDS = {
    "validate": ("validate", "one"),
    "compile airflow": ("airflow", "one"),
    "compile dvc": ("dvc", "one"),
    "compile ir-json": ("ir-json", "one"),
    "compile github-actions": ("github-actions", "pieces"),
    "compile kubernetes": ("kubernetes", "images"),
}
"""Row, then target (or the command itself), then which spec."""

SPECS = {
    "one": {},
    "pieces": {"per_pipeline": PIECE},
    "images": {"per_pipeline": PIECE, "image": True},
}
YAML = "PyYAML in C: read and write"


@dataclass(slots=True)
class Targets:
    """Collects what was promised and what was measured."""

    lines: list[str] = field(default_factory=list)
    missed: int = 0

    def check(self, what: str, found: float, most: float, unit: str = "") -> None:
        """Note a target: `found` may be at most `most`."""
        self._note(what, found, f"at most {most:,g}{unit}", unit, is_met=found <= most)

    def check_least(self, what: str, found: float, least: float) -> None:
        """Note a target: `found` times, at least `least` times."""
        self._note(what, found, f"at least {least:g} times", " times", is_met=found >= least)

    def _note(self, what: str, found: float, wanted: str, unit: str, *, is_met: bool) -> None:
        self.missed += not is_met
        verdict = "met" if is_met else "**missed**"
        self.lines.append(f"| {what} | {_short(found)}{unit} | {wanted} | {verdict} |")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


# ------------------------------------------------------------------ what is measured


def start_jobs(folder: Path) -> dict[str, Job]:
    """Return the jobs about start-up."""
    return {
        "nothing": Job(command=(sys.executable, "-c", "pass"), folder=folder),
        "import yaml": Job(command=(sys.executable, "-c", "import yaml"), folder=folder),
        "--version": Job(command=(*MLSPEC, "--version"), folder=folder),
    }


def size_jobs(folder: Path, steps: int) -> dict[str, Job]:
    """Return the jobs at one size: every command, and PyYAML alone."""
    jobs: dict[str, Job] = {}
    for name, options in SPECS.items():
        write_spec(folder / name, steps, **options)
    one = folder / "one"
    jobs[YAML] = Job(
        command=(sys.executable, HERE / "peer_yaml.py", "mlspec.yaml", "again.yaml"), folder=one
    )
    for row, (target, spec) in COMMANDS.items():
        where = folder / spec
        out = where / f"out-{target}"
        command = (*MLSPEC, "compile", "--target", target, "-o", out)
        if target == "validate":
            command = (*MLSPEC, "validate")
        jobs[row] = Job(command=command, folder=where, made=out)
    return jobs


def engines() -> Path:
    """Return the folder of installed engines, as `tests/engines/install.sh` chooses it."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("MLSPEC_ENGINES", f"{cache}/mlspec-engines"))


def peer_jobs(folder: Path, steps: int) -> dict[str, Job]:
    """Return the jobs of peers that are installed, and ours beside them."""
    python = engines() / "bench" / "bin" / "python"
    if not python.exists():
        return {}
    jobs = {}
    for name, part in (("kfp", "components"), ("hera", "templates")):
        command = (python, HERE / f"peer_{name}.py", str(steps), f"{name}.yaml")
        jobs[name] = Job(command=command, folder=folder)
        jobs[f"{name}, two {part} for all steps"] = Job(command=(*command, "shared"), folder=folder)
    ours = size_jobs(folder, steps)
    return jobs | {row: ours[row] for row in ("compile airflow", "compile kubernetes")}


# ------------------------------------------------------------------ the tables


def start_table(costs: dict[str, Cost], targets: Targets) -> Iterator[str]:
    """Yield the table about start-up."""
    base = costs["import yaml"]
    yield from ("| process | seconds | ratio | peak MB |", "|---|---|---|---|")
    for name, cost in costs.items():
        shown = f"`mlspec {name}`" if name.startswith("-") else name
        yield f"| {shown} | {cost.cpu:.3f} | {cost.cpu / base.cpu:.1f} | {cost.peak:.0f} |"
    ratio = costs["--version"].cpu / base.cpu
    targets.check("`mlspec --version` to `import yaml`", ratio, 3, " times")


def size_table(found: dict[int, dict[str, Cost]], targets: Targets) -> Iterator[str]:
    """Yield the table by size; in brackets the ratio to PyYAML alone at that size."""
    sizes = list(found)
    yield f"| | {' | '.join(f'{size:,}' for size in sizes)} | growth | peak MB |"
    yield "|---" * (len(sizes) + 3) + "|"
    last, before = sizes[-1], sizes[-2]
    for row in found[last]:
        cells = [
            f"{costs[row].cpu:.2f} ({costs[row].cpu / costs[YAML].cpu:.1f})"
            for costs in found.values()
        ]
        growth = found[last][row].cpu / last / (found[before][row].cpu / before)
        peak = found[last][row].peak
        name = row if row == YAML else f"`mlspec {row}`".replace("compile ", "compile --target ")
        yield f"| {name} | {' | '.join(cells)} | {growth:.2f} | {peak:.0f} |"
        if row == YAML:
            continue
        targets.check(f"growth per step, {row}", growth, 1.3, " times")
        if 1000 in found and row != "validate":
            targets.check(f"1,000 steps, {row}", found[1000][row].cpu, 0.6, " s")
        if 10_000 in found:
            targets.check(f"10,000 steps, {row}", found[10_000][row].cpu, 8, " s")
            targets.check(f"memory at 10,000 steps, {row}", found[10_000][row].peak, 500, " MB")


def peer_table(costs: dict[str, Cost], steps: int, targets: Targets) -> Iterator[str]:
    """Yield the table of peers at one size; the targets are about 1,000 steps."""
    if not costs:
        yield "Not measured: kfp and Hera are not installed."
        return
    ours = ("compile kubernetes", "compile airflow")
    yield f"| {steps:,} steps | seconds | to kubernetes | to airflow | peak MB |"
    yield "|---" * 5 + "|"
    for name, cost in costs.items():
        ratios = " | ".join(f"{cost.cpu / costs[mine].cpu:.1f}" for mine in ours)
        shown = f"`mlspec {name}`".replace("compile ", "compile --target ")
        yield f"| {shown if name in ours else name} | {cost.cpu:.2f} | {ratios} | {cost.peak:.0f} |"
    for peer, least in (("kfp", 20), ("hera", 5)) if steps == 1000 else ():
        for mine in ours:
            ratio = costs[peer].cpu / costs[mine].cpu
            targets.check_least(f"{peer} to `{mine}`", ratio, least)


def airflow_table(targets: Targets) -> Iterator[str]:
    """Yield the table about parsing in Airflow."""
    if not (engines() / "airflow" / "bin" / "python").exists():
        yield "Not measured: Airflow is not installed."
        return
    from airflow_parse import measure as measure_parse

    yield from ("| DAG file | seconds | ratio |", "|---|---|---|")
    emitted, hand = measure_parse(1000, turns=9)
    yield f"| written by hand | {hand:.3f} | 1.00 |"
    yield f"| emitted | {emitted:.3f} | {emitted / hand:.2f} |"
    targets.check("emitted DAG file to one written by hand", emitted / hand, 1.05, " times")


def versions() -> str:
    """Return one line about what was measured on what."""
    parts = [f"Python {platform.python_version()}", f"mlspec {version('mlspec')}"]
    parts.append(f"PyYAML {version('pyyaml')}")
    for part, packages in (("bench", ("kfp", "hera")), ("airflow", ("apache-airflow",))):
        python = engines() / part / "bin" / "python"
        if python.exists():
            code = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"
            told = subprocess.run(
                [python, "-c", code, *packages], capture_output=True, text=True, check=True
            )
            parts += map(" ".join, zip(packages, told.stdout.split(), strict=True))
    return f"{', '.join(parts)}; {os.cpu_count()} cores, {platform.system()}."


# ------------------------------------------------------------------ the run


def measure_all(folder: Path, rounds: int, largest: int) -> tuple[list[str], Targets]:
    """Measure everything; return the lines of the page's section, and the targets."""
    targets = Targets()
    for job in (*size_jobs(folder / "warm", 10).values(), *peer_jobs(folder / "warm", 10).values()):
        once(job)  # compiles bytecode and fills the disk cache
    start = list(start_table(measure(start_jobs(folder), 3 * rounds), targets))
    sizes = [size for size in SIZES if size <= largest]
    found = {size: size_jobs(folder / str(size), size) for size in sizes}
    costs = {size: measure(found[size], rounds) for size in sizes}
    by_size = list(size_table(costs, targets))
    by_peer: list[str] = []
    for steps in PEER_SIZES:
        where = folder / f"peers-{steps}"
        where.mkdir()
        by_peer += ["", *peer_table(measure(peer_jobs(where, steps), rounds), steps, targets)]
    parse = list(airflow_table(targets))
    lines = ["Start-up, seconds and ratio to `import yaml`:", "", *start, ""]
    lines += ["Seconds by number of steps (ratio to PyYAML alone at that size), growth of the"]
    lines += ["seconds per step between the two largest sizes, memory at the largest:", ""]
    lines += [*by_size, "", "Peers; how many times the seconds of `mlspec compile`:", *by_peer]
    lines += ["", "Airflow parsing a DAG file of 1,000 steps:", "", *parse, ""]
    lines += ["Targets:", "", "| what | measured | target | |", "|---|---|---|---|"]
    return [*lines, *targets.lines, ""], targets


def main() -> int:
    """Measure, print, and write the page if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5, help="medians of so many rounds")
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="largest number of steps")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    asked = parser.parse_args()
    assert "PYTHONDONTWRITEBYTECODE" not in environment()
    with tempfile.TemporaryDirectory() as name:
        lines, targets = measure_all(Path(name), asked.rounds, asked.largest)
    lines = [
        f"Made by `python bench/run.py --rounds {asked.rounds}`: {versions()}",
        "",
        *lines,
    ]
    text = "\n".join(lines)
    print(text)
    if asked.write:
        page = PAGE.read_text(encoding="utf-8")
        head, rest = page.split(BEGIN)
        tail = rest.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}\n\n{text}\n{END}{tail}", encoding="utf-8")
    return 1 if targets.missed else 0


if __name__ == "__main__":
    sys.exit(main())
