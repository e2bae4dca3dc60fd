"""Files of PyTorch that would run code when they are loaded are refused before."""

from __future__ import annotations

import json
import zipfile

import pytest

from mlspec.runtime.models.torch_archive import check_program, check_script
from mlspec.runtime.steps.contract import StepError

SIZE = "Symbol('s77', positive=True, integer=True)"
TENSOR = {"path_name": "weight_0", "use_pickle": False}


def program(
    path, *, size=SIZE, target="torch.ops.aten.linear.default", guards=(), more=(), **tensor
):
    graph = {
        "graph_module": {"graph": {"nodes": [{"target": target}], "sizes": [{"expr_str": size}]}},
        "range_constraints": {"s77": {"min_val": 1}},
        "guards_code": list(guards),
    }
    config = {"config": {"w": {**TENSOR, **tensor}}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/models/model.json", json.dumps(graph))
        archive.writestr("model/data/weights/model_weights_config.json", json.dumps(config))
        archive.writestr("model/data/weights/weight_0", b"0000")
        for name in more:
            archive.writestr(name, b"")
    return path


def test_program__plain__passes(tmp_path):
    check_program(program(tmp_path / "m.pt2"))
    check_program(
        program(tmp_path / "m.pt2", size=f"FloorDiv({SIZE} + 1, 2)", target="_operator.add")
    )


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ({"size": "__import__('os').system('id')"}, "a size of it is `__import__"),
        ({"size": "open('/etc/passwd')"}, "a size of it"),
        ({"size": "Symbol('x[0]')"}, "a size of it"),
        ({"guards": ["True"]}, "guards in Python"),
        ({"target": "torch.ops.aten.from_file.default"}, "calls `torch.ops.aten.from_file"),
        ({"target": "torch.ops.custom.run.default"}, "calls `torch.ops.custom"),
        ({"target": "builtins.eval"}, "calls `builtins.eval`"),
        ({"use_pickle": True}, "its tensor `w` is pickled"),
        ({"path_name": "../weight_0"}, "its tensor `w` is pickled"),
        ({"more": ["model/data/constants/opaque_obj_0"]}, "opaque_obj_0` is not part"),
        ({"more": ["model/data/constants/custom_obj_0"]}, "custom_obj_0` is not part"),
        ({"more": ["serialized_state_dict.pt"]}, "serialized_state_dict.pt` is not part"),
        ({"more": ["other/models/model.json"]}, "other/models/model.json` is not part"),
    ],
)
def test_program__that_would_run_code__is_refused(tmp_path, harm, said):
    with pytest.raises(StepError) as raised:
        check_program(program(tmp_path / "m.pt2", **harm))
    assert said in raised.value.message


def test_program__no_archive_or_no_program__is_refused(tmp_path):
    (tmp_path / "m.pt2").write_bytes(b"PK")
    with pytest.raises(StepError, match="is damaged"):
        check_program(tmp_path / "m.pt2")
    with zipfile.ZipFile(tmp_path / "m.pt2", "w") as archive:
        archive.writestr("model/version", b"3")
    with pytest.raises(StepError, match="it holds no program"):
        check_program(tmp_path / "m.pt2")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("return torch.relu(x)", True),
        ('return torch.from_file("a")', False),
        ("torch.save(x)", False),
    ],
)
def test_script__that_opens_files__is_refused(tmp_path, text, fits):
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        archive.writestr("m/code/__torch__.py", text)
    if fits:
        check_script(tmp_path / "m.pt")
        return
    with pytest.raises(StepError, match="opens files"):
        check_script(tmp_path / "m.pt")
