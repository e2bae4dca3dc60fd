"""PyTorch as installed: one worker, two workers with gloo, and what goes wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlspec.ir.kinds import Kind
from tests.support.libraries import compressed, predicted, step, succeed
from tests.support.training import call, folders, model, project, train_on_page

pytestmark = pytest.mark.engine("torch")

ALONE = """
import numpy as np
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, outputs))
        self.outputs = outputs
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))

    def raw(self, x):
        return self.body((x - self.mean) / self.scale)

    def forward(self, x):
        found = self.raw(x)
        return torch.sigmoid(found)[:, 0] if self.outputs == 1 else torch.softmax(found, 1)

def fit(features, label, params):
    x = torch.tensor(np.asarray(features).astype(np.float32))
    classes, numbers = np.unique(label, return_inverse=True)
    net = Net(x.shape[1], 1 if len(classes) == 2 else len(classes))
    net.mean, net.scale = x.mean(0), x.std(0)
    best = torch.optim.Adam(net.parameters(), lr=params.get("lr", 0.05))
    y = torch.tensor(numbers)
    for _ in range(60):
        out = net.raw(x)
        loss = (nn.functional.binary_cross_entropy_with_logits(out[:, 0], y.float())
                if net.outputs == 1 else nn.functional.cross_entropy(out, y))
        best.zero_grad(); loss.backward(); best.step()
    return net
"""
TOGETHER = (
    ALONE
    + """
import json, os
from torch.nn.parallel import DistributedDataParallel

def together(features, label, rank, workers, output):
    x = torch.tensor(np.asarray(features).astype(np.float32))[rank::workers]
    y = torch.tensor(label.astype(np.float32))[rank::workers]
    net = Net(x.shape[1], 1)
    net.forward = net.raw
    spread = DistributedDataParallel(net)
    best = torch.optim.Adam(spread.parameters(), lr=0.05)
    for _ in range(40):
        loss = nn.functional.binary_cross_entropy_with_logits(spread(x)[:, 0], y)
        best.zero_grad(); loss.backward(); best.step()
    del net.forward
    mine = torch.cat([p.detach().flatten() for p in net.parameters()])
    all_of_them = [torch.zeros_like(mine) for _ in range(workers)]
    torch.distributed.all_gather(all_of_them, mine)
    assert all(torch.equal(one, mine) for one in all_of_them)
    if rank == 0:
        (output / "told.json").write_text(json.dumps({
            "workers": workers, "rows": len(x), "backend": torch.distributed.get_backend(),
            "world": torch.distributed.get_world_size()}))
    return spread

def second_dies(features, label, rank):
    if rank == 1:
        raise ValueError("the second one cannot")
    torch.distributed.barrier()
"""
)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_module__is_exported_and_predicts_any_number_of_rows(tmp_path, task):
    home = project(tmp_path / "home", train=ALONE)
    inputs = folders(tmp_path, task, 500, 203)
    target = tmp_path / "model"
    succeed(
        "torch", call(Kind.TRAIN, model(task, engine="pytorch"), home, inputs, {"model": target})
    )
    found = predicted("torch", target, inputs["validation"], home)
    assert found["facts"]["format"] == "torch"
    assert found["facts"]["details"] == {"way": "export"}
    assert set(found["facts"]["files"]) == {"model.pt2"}
    truth, chances = np.array(found["labels"]), np.array(found["probabilities"])
    if task == "binary":
        assert chances.shape == (203,)
        assert ((chances > 0.5) == truth).mean() > 0.85
    else:
        assert chances.shape == (203, 3)
        assert (np.array(found["predictions"]) == truth).mean() > 0.75


def test_module__same_seed__same_predictions(tmp_path):
    answers = []
    for name in ("1", "2"):
        home = project(tmp_path / name / "home", train=ALONE)
        inputs = folders(tmp_path / name, "binary", 200, 50)
        target = tmp_path / name / "model"
        facts = model(engine="pytorch", seed=5)
        succeed("torch", call(Kind.TRAIN, facts, home, inputs, {"model": target}))
        answers.append(predicted("torch", target, inputs["validation"], home)["predictions"])
    assert answers[0] == answers[1]


def test_torchrun__two_workers_train_one_model(tmp_path):
    home = project(tmp_path / "home", train=TOGETHER)
    inputs = folders(tmp_path, "binary", 400, 150)
    facts = model(engine="pytorch", workers=2, entrypoint="own.train:together")
    target = tmp_path / "model"
    succeed("torch", call(Kind.TRAIN, facts, home, inputs, {"model": target}))
    told = json.loads((target / "extra" / "told.json").read_text())
    assert told == {"workers": 2, "rows": 200, "backend": "gloo", "world": 2}
    found = predicted("torch", target, inputs["validation"], home)
    assert ((np.array(found["predictions"]) > 0.5) == np.array(found["labels"])).mean() > 0.8


def test_torchrun__second_worker_fails__the_step_says_why(tmp_path):
    home = project(tmp_path / "home", train=TOGETHER)
    inputs = folders(tmp_path, "binary", 100, 50)
    facts = model(engine="pytorch", workers=2, entrypoint="own.train:second_dies")
    done = step("torch", call(Kind.TRAIN, facts, home, inputs, {"model": tmp_path / "model"}))
    assert done.returncode == 1
    assert "error: `own.train:second_dies` failed: ValueError: the second one cannot" in done.stderr
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("return x[:, 0] * float('nan')", "predicts no number (NaN or infinite)"),
        ("return self.raw(x)[:, 0] * 100", "which is no probability"),
    ],
    ids=["nan", "logits"],
)
def test_module__diverged_or_without_sigmoid__is_refused(tmp_path, lines, said):
    text = ALONE.replace("found = self.raw(x)", lines)
    home = project(tmp_path / "home", train=text)
    inputs = folders(tmp_path, "binary", 200, 50)
    facts = model(engine="pytorch")
    done = step("torch", call(Kind.TRAIN, facts, home, inputs, {"model": tmp_path / "model"}))
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "model").exists()


def test_module__altered_weights__do_not_load(tmp_path):
    home = project(tmp_path / "home", train=ALONE)
    inputs = folders(tmp_path, "binary", 200, 50)
    target = tmp_path / "model"
    facts = model(engine="pytorch")
    succeed("torch", call(Kind.TRAIN, facts, home, inputs, {"model": target}))
    file = target / "model.pt2"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(AssertionError, match="is not the one that was written"):
        predicted("torch", target, inputs["validation"], home)


@pytest.mark.parametrize(
    ("method", "part", "moves"),
    [
        ("fp16", 0.6, 0.002),
        ("bf16", 0.6, 0.02),
        ("fp8", 0.35, 0.1),
        ("int8", 0.35, 0.02),
        ("int4", 0.25, 0.3),
    ],
)
def test_compress__weights_in_fewer_bits__smaller_and_close(tmp_path, wide, method, part, moves):
    target, home, inputs, facts = wide
    before, after, note = compressed(
        "torch", tmp_path / "small", target, home, inputs, facts, method
    )
    assert note["bytes"] < part * note["bytes_before"]
    change = np.abs(np.array(after["predictions"]) - np.array(before["predictions"])).max()
    assert 0 < change < moves


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A trained module with enough weights that they are most of its file."""
    place = tmp_path_factory.mktemp("wide")
    home = project(
        place / "home",
        train=ALONE.replace("16)", "512)")
        .replace("(16,", "(512,")
        .replace("nn.Dropout(0.1)", "nn.Linear(512, 512), nn.ReLU()"),
    )
    inputs = folders(place, "binary", 200, 80)
    facts = model(engine="pytorch", params={"lr": 0.001})
    succeed("torch", call(Kind.TRAIN, facts, home, inputs, {"model": place / "model"}))
    return place / "model", home, inputs, facts


def test_page__its_function__makes_a_model(tmp_path):
    wanted = train_on_page(tmp_path, "with_torch", engine="pytorch", workers=2)
    succeed("torch", wanted)
    found = predicted("torch", tmp_path / "model", tmp_path / "validation", wanted.project)
    assert len(found["predictions"]) == 120
