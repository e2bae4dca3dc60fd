from __future__ import annotations

import json
import os
import sys
from pathlib import Path, PurePosixPath

import pytest

from mlspec.ir.model import Argv, Image, Output, Pairing, RepoInput, Secret, Step, StepInput
from mlspec.ir.values import Duration, Literal, Namespace, Ref, literal
from mlspec.runtime import containers
from mlspec.runtime.containers import Mount
from mlspec.runtime.staging import StagingError
from tests.support.graphs import SEEDS
from tests.support.running import app_of, run_app, script

FAKE = """#!{python}
import json, os, subprocess, sys
args = sys.argv[1:]
log = os.path.join({root!r}, "docker.log")
open(log, "a").write(json.dumps(args) + "\\n")
if args[0] == "image":
    if args[-1] == "missing": sys.exit("No such image: missing")
    print("sha256:1\\n/srv"); sys.exit()
if args[0] != "run": sys.exit(args[-1] == "missing" and "no" or 0)
mounts, env, rest = {{}}, {{}}, args[1:]
while rest and rest[0].startswith("--"):
    option = rest.pop(0)
    if option in ("--rm", "--init"): continue
    value = rest.pop(0)
    if option == "--mount":
        fields = dict(one.split("=", 1) for one in value.split(",") if "=" in one)
        mounts[fields["target"]] = fields["source"]
    if option == "--env": env[value] = os.environ[value]
    if option == "--entrypoint": first = value
def here(text):
    for there in sorted(mounts, key=len, reverse=True): text = text.replace(there, mounts[there])
    return text
inside = os.path.join({root!r}, "inside-%d" % os.getpid()); os.mkdir(inside)
for there, source in mounts.items():
    if there.startswith("/srv/"): os.symlink(source, os.path.join(inside, there[5:]))
words = [first, *rest[1:]]
env = {{name: here(value) for name, value in env.items()}}
env["PATH"] = os.environ["PATH"]
sys.exit(subprocess.run([here(w) for w in words], cwd=inside, env=env).returncode)
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for docker that runs the command here, and notes how it was called."""
    root = tmp_path / "docker"
    root.mkdir()
    (root / "docker").write_text(FAKE.format(python=sys.executable, root=str(root)))
    (root / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{root}{os.pathsep}{os.environ['PATH']}")
    return root


def _calls(root: Path) -> list[list[str]]:
    lines = (root / "docker.log").read_text().splitlines()
    return [json.loads(line) for line in lines]


IMAGE = Image(reference="example/image:1")


def test_run__image_step(docker: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "in, put.txt").write_text("42")
    fit = script(
        "fit",
        'cat "$MLSPEC_INPUTS_I" > "$MLSPEC_OUTPUTS_O"; echo "{\\"n\\": 1}" > out/m.json;'
        ' echo "$TOKEN" > out/r.md',
        Ref(Namespace.INPUTS, "i"),
        Ref(Namespace.OUTPUTS, "o"),
        image=IMAGE,
        inputs=(RepoInput(name="i", path="in.txt"),),
        outputs=(Output(name="o", path="models/m.txt"),),
        metrics="out/m.json",
        report=("out/r.md",),
        secrets=(Secret("TOKEN", "hub"),),
        matrix=SEEDS,
    )
    (project / "in.txt").write_text("42")
    read = Step(
        id="read",
        action=Argv(words=(literal("ls"), (Literal(""), Ref(Namespace.INPUTS, "all")))),
        image=IMAGE,
        needs=("fit",),
        inputs=(StepInput(name="all", step="fit", output="o", pairing=Pairing.FOLDER),),
    )
    ran = run_app(app_of(fit, read), project, environ={**os.environ, "HUB": "s3cret"})
    assert ran.outcomes == {"fit": "success", "read": "success"}, ran.log("fit", "1")
    assert ran.log("read") == "1\n2\n3\nindex.json\n"
    record = ran.result.record
    assert record is not None
    assert record.steps[0].instances[0].metrics == {"n": 1}
    assert ran.result.folder is not None
    assert (ran.result.folder / "reports/fit/2/out/r.md").read_text() == "s3cret\n"
    (one, *_) = [call for call in _calls(docker) if call[0] == "run"]
    assert one[:3] == ["run", "--rm", "--init"]
    assert f"{os.getuid()}:{os.getgid()}" in one
    assert not any("s3cret" in word for call in _calls(docker) for word in call)
    assert [one[n + 1] for n, word in enumerate(one) if word == "--env"] == [
        "MLSPEC_INPUTS_I",
        "MLSPEC_OUTPUTS_O",
        "TOKEN",
    ]
    assert one[-4:-1] == ["bash", "example/image:1", "-c"]


def test_run__image_that_cannot_be_had(docker: Path, tmp_path: Path) -> None:
    ran = run_app(app_of(script("a", "true", image=Image(reference="missing"))), tmp_path)
    assert ran.outcomes == {"a": "failed"}
    assert "`missing`" in ran.reason("a")


def test_run__container_is_ended_on_timeout(docker: Path, tmp_path: Path) -> None:
    step = script("a", "sleep 30", image=IMAGE, timeout=Duration(1500))
    ran = run_app(app_of(step), tmp_path)
    assert ran.reason("a") == "timed out after 1500ms"
    calls = _calls(docker)
    name = next(call[call.index("--name") + 1] for call in calls if call[0] == "run")
    assert ["kill", name] in calls


def test_arrange__metrics_directly_in_the_working_folder(tmp_path: Path) -> None:
    step = script("a", "", image=IMAGE, metrics="m.json")
    with pytest.raises(StagingError, match=r"m\.json"):
        containers.arrange(step, {}, tmp_path, PurePosixPath("/srv"), tmp_path)


def test_arrange__metrics_and_reports_that_are_outputs(tmp_path: Path) -> None:
    outputs = (Output(name="m", path="m.json"), Output(name="r", path="r.md"))
    step = script("a", "", image=IMAGE, outputs=outputs, metrics="m.json", report=("r.md",))
    inside = containers.arrange(step, {}, tmp_path, PurePosixPath("/srv"), tmp_path)
    assert inside.written.metrics == inside.written.outputs["m"]
    assert [str(mount.there) for mount in inside.mounts] == ["/mlspec/out/m", "/mlspec/out/r"]


def test_mount__words_follow_csv() -> None:
    mount = Mount(Path('/a,b"c'), PurePosixPath("/mlspec/in/x"), read_only=True)
    assert mount.words == (
        "--mount",
        'type=bind,"source=/a,b""c",target=/mlspec/in/x,readonly',
    )
