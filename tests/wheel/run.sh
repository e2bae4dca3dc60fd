#!/bin/sh
# Builds the wheel and runs the golden tests against it from a folder where no checkout shadows it.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
python=${MLSPEC_TEST_PYTHON:-$top/.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w "$work/dist" "$top"
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "$work"/dist/*.whl "pytest>=8.3"
mkdir -p "$work/tree/tests"
cp "$top/pyproject.toml" "$work/tree/"
cp -R "$top/examples" "$work/tree/"
cp -R "$top/tests/golden" "$top/tests/inputs" "$top/tests/conftest.py" "$work/tree/tests/"
cd "$work/tree"
"$work/venv/bin/python" -m pytest -q -p no:cacheprovider tests/golden
# The command itself: data files must be in the wheel.
for words in "schema" "explain ML060" "targets" "init $work/new" "validate -f $work/new/mlspec.yaml"; do
  "$work/venv/bin/mlspec" $words >"$work/said" 2>&1 || { echo "mlspec $words failed:"; cat "$work/said"; exit 1; }
done
(cd "$work/new" && "$work/venv/bin/mlspec" run >"$work/said" 2>&1) || { cat "$work/said"; exit 1; }
# Type information travels with the package.
test -f "$("$work/venv/bin/python" -c 'import mlspec, os; print(os.path.dirname(mlspec.__file__))')/py.typed"
echo "wheel: ok"
