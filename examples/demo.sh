#!/bin/sh
# What `make demo` shows: one spec, checked, drawn, run here, and compiled for three engines.
set -eu
cd "$(dirname "$0")/digits"
say() { printf '\n$ %s\n' "$*"; "$@"; }
say mlspec validate
say mlspec graph
mkdir -p .mlspec/demo
mlspec graph --format html -o .mlspec/demo/graph.html
say mlspec run
# Compiled in a copy, so that the example stays as it is.
rm -rf .mlspec/demo/project
mkdir -p .mlspec/demo/project
cp -R mlspec.yaml scripts .mlspec/demo/project/
cd .mlspec/demo/project
say mlspec compile --target airflow --target github-actions --target dvc
# A model: nobody wrote its steps.
cd ../../../../b_retraining
say mlspec graph
say mlspec run models.ctr
say mlspec versions
cat <<TXT

Done. Where things are, below examples/digits:
  results, logs, metrics   .mlspec/runs/               (mlspec runs)
  the picture              .mlspec/demo/graph.html
  generated files          .mlspec/demo/project/dags, .github/workflows and dvc.yaml
and in examples/b_retraining:
  why a version is what it is   mlspec why ctr@1
TXT
