"""The scripts inside workflows that are ours, not the user's.

Each is constant text or made of quoted words; data reaches it through environment variables.
Layout on a runner, below `$RUNNER_TEMP/mlspec`: `artifacts/<step>/…` as downloaded,
`inputs/<name>/…` as steps read them, `outputs/…` as uploaded, `work/…` what a container writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.backends.shell import bash_quote

STRICT_BASH = "bash --noprofile --norc -euo pipefail"
PYTHON = "python3 {0}"

HOME = "$RUNNER_TEMP/mlspec"
MOUNT = "/mlspec"
"""Where a container sees `HOME`."""


def install(words: Sequence[str]) -> str:
    """Return the script that installs Python packages where the following steps find them."""
    return (
        'python3 -m venv "$RUNNER_TEMP/python"\n'
        f'"$RUNNER_TEMP/python/bin/pip" install --quiet {" ".join(map(bash_quote, words))}\n'
        'echo "$RUNNER_TEMP/python/bin" >> "$GITHUB_PATH"\n'
    )


UNPACK = """\
unpack() { # input, archive, file: say where the input is, or nothing when it is absent
  place=
  if [ -f "$2" ]; then
    mkdir -p "inputs/$1"
    tar -xf "$2" -C "inputs/$1" --no-same-owner
    place=$root/inputs/$1/$3
  fi
  echo "$1=$place" >> "$GITHUB_OUTPUT"
}"""

GATHER = """\
import json, os, pathlib, subprocess

home = pathlib.Path(os.environ["RUNNER_TEMP"], "mlspec")
folder = home / "inputs" / os.environ["INPUT"]
unpacked = home / "unpacked" / os.environ["INPUT"]
folder.mkdir(parents=True)
unpacked.mkdir(parents=True)
found = []
for row in json.loads(os.environ["COMBINATIONS"] or "[]"):
    archive = home / "artifacts" / os.environ["PRODUCER"] / row["entry"] / os.environ["ARCHIVE"]
    if archive.exists():
        subprocess.run(["tar", "-xf", archive, "-C", unpacked, "--no-same-owner"], check=True)
        (unpacked / os.environ["FILE"]).rename(folder / row["entry"])
        found.append(row)
(folder / "index.json").write_text(json.dumps(found), encoding="utf-8")
with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as output:
    root = os.environ["ROOT"] or str(home)
    print(f"place={root}/inputs/{folder.name}" if found else "place=", file=output)
"""
"""Puts the outputs of all instances of a matrix side by side, with an index."""

DECIDE = """\
import json, operator, os

signs = {
    ">=": operator.ge, ">": operator.gt, "<=": operator.le,
    "<": operator.lt, "==": operator.eq, "!=": operator.ne,
}
try:
    with open(os.environ["METRICS"], encoding="utf-8") as file:
        metrics = json.load(file, parse_int=float)
except ValueError:
    metrics = None
with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as output:
    for consumer, conditions in json.loads(os.environ["CONDITIONS"]).items():
        answers = []
        for name, sign, number in conditions:
            found = metrics.get(name) if isinstance(metrics, dict) else None
            known = isinstance(found, float) and found == found
            answers.append(signs[sign](found, number) if known else None)
        answer = "unknown" if None in answers else "true" if all(answers) else "false"
        print(f"when-{consumer}={answer}", file=output)
"""
"""Compares metrics for the steps whose `when` reads them; no number, or NaN: unknown."""

LIST = """\
import json, os, re

def combinations(values, matrix):
    for value in values:
        for row in matrix["rows"]:
            known = {**row, matrix["key"]: value}
            ordered = {key: known[key] for key in matrix["keys"]}
            yield {"entry": "-".join(ordered.values()), "matrix": ordered}

def problem(values, matrix):
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return "is not a JSON list of strings"
    if len(values) > matrix["max"]:
        return f"has {len(values)} values, more than {matrix['max']}"
    if not all(re.fullmatch(r"[A-Za-z0-9._+=@,-]+", value) for value in values):
        return "has a value that cannot be a file name (allowed: A-Z a-z 0-9 . _ + = @ , -)"
    names = [row["entry"] for row in combinations(values, matrix)]
    if len(set(names)) < len(names) or {".", ".."} & set(names):
        return "has values that give the same name, or a name that is not a file name"
    return ""

with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as output:
    for consumer, matrix in json.loads(os.environ["MATRICES"]).items():
        try:
            with open(matrix["file"], encoding="utf-8") as file:
                values = json.load(file)
        except (OSError, ValueError):
            values = None
        wrong = problem(values, matrix)
        rows = [] if wrong else list(combinations(values, matrix))
        print(f"matrix-{consumer}={json.dumps([matrix['file']] if wrong else values)}", file=output)
        print(f"combinations-{consumer}={json.dumps(rows)}", file=output)
        print(f"problem-{consumer}={wrong and 'the list ' + wrong}", file=output)
"""
"""Checks the lists of run-time matrices; a wrong one becomes one instance that then fails."""

REFUSE = """\
echo "::error::$PROBLEM"
exit 1
"""


def own_path(path: str) -> str:
    """Return a relative path as one Bash word that no program takes for an option."""
    return bash_quote(path if not path.startswith("-") else f"./{path}")


def split_path(path: str) -> tuple[str, str]:
    """Return the folder (`.` for none) and the base name of a relative path."""
    folder, _, name = path.rpartition("/")
    return folder or ".", name


def prepare(
    folders: Sequence[str], unpacked: Sequence[str], copied: Sequence[str], *, in_container: bool
) -> str:
    """Return the script that makes folders and unpacks inputs.

    Args:
        folders: to make, relative to the working directory.
        unpacked: calls of `unpack`.
        copied: command lines that copy repository inputs for a container.
        in_container: whether the step runs in a container, which must be able to write.
    """
    lines = []
    if in_container:
        lines += [f'mkdir -p "{HOME}/work"', *copied]
    if folders:
        base = f'"{HOME}/work"/' if in_container else ""
        lines.append(f"mkdir -p {' '.join(base + own_path(folder) for folder in folders)}")
    if unpacked:
        lines += [f'mkdir -p "{HOME}"', f'cd "{HOME}"']
        lines += [f"root={MOUNT}" if in_container else "root=$PWD", UNPACK, *unpacked]
    if in_container:
        lines.append(f'chmod -R a+rwX "{HOME}"')
    return "\n".join(lines) + "\n"


def pack(
    outputs: Sequence[tuple[str, str]],
    metrics: str | None,
    reports: Sequence[str],
    *,
    title: str,
    is_matrix: bool,
) -> str:
    """Return the script that checks, packs and shows what a step left behind.

    Args:
        outputs: names and paths.
        metrics: path of the metrics file.
        reports: paths of reports.
        title: heading in the job summary.
        is_matrix: whether to pack into a folder named `$ENTRY`.
    """
    lines = []
    wanted = [path for _, path in outputs]
    if metrics is not None and metrics not in wanted:
        wanted.append(metrics)
    if wanted:
        lines += [
            f"for path in {' '.join(own_path(path) for path in wanted)}; do",
            '  if [ ! -e "$path" ]; then',
            '    echo "::error::declared output $path was not written"',
            "    exit 1",
            "  fi",
            "done",
        ]
    entry = "/$ENTRY" if is_matrix else ""
    lines += [f"packed={HOME}/outputs{entry}", 'mkdir -p "$packed"']
    for name, path in outputs:
        folder, file = split_path(path)
        verbatim = "--no-unquote " if "\\" in file else ""  # GNU tar reads `\\b` as an escape
        place = f"{own_path(folder)} {verbatim}{own_path(file)}"
        lines.append(f'tar -cf "$packed/{name}.tar" -C {place}')
    if metrics is not None:
        lines.append(f'cp {own_path(metrics)} "$packed/metrics.json"')
    lines += _show(metrics, reports, title, is_matrix=is_matrix)
    return "\n".join(lines) + "\n"


def _show(metrics: str | None, reports: Sequence[str], title: str, *, is_matrix: bool) -> list[str]:
    lines = []
    for path in reports:
        lines += [
            f"if [ -e {own_path(path)} ]; then",
            '  mkdir -p "$packed/report"',
            f'  cp -R --parents {own_path(path)} "$packed/report"',
            "fi",
        ]
    shown = [path for path in reports if path.endswith(".md")]
    if metrics is None and not shown:
        return lines
    heading = f'echo "### {title} ($ENTRY)"' if is_matrix else f'echo "### {title}"'
    lines += ["{", f"  {heading}"]
    if metrics is not None:
        lines += ["  echo '```json'", f"  head --bytes=20000 {own_path(metrics)}", "  echo '```'"]
    lines += [
        f"  if [ -f {own_path(path)} ]; then head --bytes=500000 {own_path(path)}; echo; fi"
        for path in shown
    ]
    return [*lines, '} >> "$GITHUB_STEP_SUMMARY"']
