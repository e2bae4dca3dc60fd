#!/bin/sh
# What `make demo` shows: one spec, checked, drawn, run here, and compiled for four engines.
set -eu
cd "$(dirname "$0")/digits"
say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
say mlspec validate
say mlspec graph
mlspec graph --format html -o .mlspec/demo/graph.html
say mlspec run
for target in airflow github-actions dvc; do
  say mlspec compile --target "$target" -o ".mlspec/demo/$target"
done
cat <<TXT

Done. Where things are (below examples/digits):
  results, logs, metrics   .mlspec/runs/        (mlspec runs)
  the picture              .mlspec/demo/graph.html
  generated files          .mlspec/demo/airflow, .mlspec/demo/github-actions, .mlspec/demo/dvc
TXT
