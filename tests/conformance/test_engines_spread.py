"""A training that runs on several nodes, as Kubeflow Trainer starts it: here two processes."""

from __future__ import annotations

import socket
import subprocess

import numpy as np
import pytest

from mlspec.ir.facts import NODE_VARIABLE
from mlspec.ir.kinds import Kind
from mlspec.ir.node import write_node
from mlspec.runtime.steps import distant
from tests.conformance.test_engines_torch import TOGETHER
from tests.support.libraries import environment, predicted, python
from tests.support.training import call, folders, model, project

pytestmark = pytest.mark.engine("torch")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_two_nodes__train_one_model_from_addresses_to_an_address(tmp_path):
    home = project(tmp_path / "home", train=TOGETHER)
    inputs = folders(tmp_path, "binary", 400, 150)
    facts = model(engine="pytorch", workers=2, entrypoint="own.train:together")
    node = call(Kind.TRAIN, facts, home, inputs, {"model": tmp_path / "model"}).node
    store = tmp_path / "store"
    words = [python("torch"), "-m", "mlspec", "step", "train"]
    for name, path in inputs.items():
        distant.take(path, (store / f"{name}.tgz").as_uri())
        words += ["--in", f"{name}={(store / f'{name}.tgz').as_uri()}"]
    words += ["--out", f"model={(store / 'model.tgz').as_uri()}"]
    told = {
        NODE_VARIABLE: write_node(node),
        "PET_NNODES": "2",
        "PET_NPROC_PER_NODE": "1",
        "PET_MASTER_ADDR": "127.0.0.1",
        "PET_MASTER_PORT": str(_free_port()),
    }
    nodes = [
        subprocess.Popen(
            words,
            cwd=home,
            env=environment(**told, PET_NODE_RANK=str(rank)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (1, 0)
    ]
    said = [node.communicate(timeout=200)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    made = distant.bring((store / "model.tgz").as_uri(), tmp_path / "back")
    assert made is not None
    found = predicted("torch", made, inputs["validation"], home)
    assert ((np.array(found["predictions"]) > 0.5) == np.array(found["labels"])).mean() > 0.8
