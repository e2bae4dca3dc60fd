"""The registry `mlflow` on a real server: the same behaviour as the embedded one."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from mlspec.ir.facts import ApprovalFacts, RegistryFacts
from mlspec.runtime.digests import digest_of_folder
from mlspec.runtime.registry import RegistryError, State, open_registry
from mlspec.runtime.registry.mlflow_http import Server
from mlspec.runtime.steps.contract import StepExit
from tests.support.versions import NOW, Life, draft, package, registered

pytestmark = [pytest.mark.engine("mlflow"), pytest.mark.xdist_group("mlflow")]

ROOT = Path(__file__).resolve().parents[2]
ENGINES = Path(os.environ.get("MLSPEC_ENGINES", Path.home() / ".cache" / "mlspec-engines"))
MLFLOW = ENGINES / "mlflow" / "bin" / "mlflow"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    if not MLFLOW.exists():
        pytest.skip("tests/engines/install.sh mlflow")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        MLFLOW, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            words, cwd=folder, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "PATH": f"{MLFLOW.parent}{os.pathsep}{os.environ['PATH']}"},
        )  # fmt: skip
    found = f"http://127.0.0.1:{port}"
    try:
        _wait(found, server, folder / "log")
        yield found
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    pytest.fail(log.read_text(encoding="utf-8")[-3000:])


@pytest.fixture
def app(request):
    """A name for each test: they share a server."""
    return "shop-" + request.node.name.partition("[")[0].replace("_", "-")[-60:]


@pytest.fixture
def registry(address, app):
    return open_registry(RegistryFacts(kind="mlflow", uri=address), "", app, "prod", {})


def test_register__versions_aliases_and_tags(registry, app, address, tmp_path):
    assert registry.models() == ()
    assert registry.versions("ctr") == ()
    first = registered(registry, tmp_path, "one")
    second = registered(registry, tmp_path, "two")
    assert (first.number, second.number) == (1, 2)
    assert first.digest == digest_of_folder(tmp_path / "package-one") != second.digest
    assert first.provenance == {"spec": "s1"}
    assert registry.aliases("ctr") == {"candidate": 2}
    assert registry.models() == ("ctr",)
    assert registry.find("ctr", "candidate") == second
    assert registry.find("ctr", first.digest[:20]) == first
    told = Server(address=address).get("model-versions/get", name=f"prod.{app}.ctr", version="1")[
        "model_version"
    ]
    tags = {one["key"]: one["value"] for one in told["tags"]}
    assert tags["mlspec.digest"] == first.digest
    assert tags["mlspec.spec"] == "s1"
    other = open_registry(RegistryFacts(kind="mlflow", uri=address), "", app, "dev", {})
    assert other.versions("ctr") == ()


def test_register__same_package_again_is_the_same_version(registry, tmp_path):
    first = registered(registry, tmp_path, "one")
    registry.set_state(first, "validated")
    again = registry.register(draft(), tmp_path / "package-one")
    assert (again.number, again.state) == (1, State.VALIDATED)
    with pytest.raises(RegistryError, match="other provenance: spec"):
        registry.register(draft(spec="s2"), tmp_path / "package-one")
    assert len(registry.versions("ctr")) == 1


def test_fetch__gives_back_the_package(registry, tmp_path):
    source = package(tmp_path / "p", "weights ünï")
    (source / "model" / "a b+c%20.bin").write_bytes(os.urandom(3_000_000))
    (source / "empty").write_bytes(b"")
    version = registry.register(draft(), source)
    assert digest_of_folder(registry.fetch(version, tmp_path / "got")) == version.digest


def test_fetch__damaged_content_is_refused(registry, address, tmp_path):
    version = registered(registry, tmp_path, "one")
    root = version.uri.removeprefix("mlflow-artifacts:/").lstrip("/")
    Server(address=address).store(f"{root}/model/model.txt", b"other")
    with pytest.raises(RegistryError, match="damaged in the registry"):
        registry.fetch(version, tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_promote__and_roll_back(registry, tmp_path):
    versions = [registered(registry, tmp_path, text) for text in ("one", "two", "three")]
    with pytest.raises(RegistryError, match="is candidate and cannot become the champion"):
        registry.promote(versions[0])
    befores = [registry.promote(registry.set_state(one, "validated")) for one in versions]
    assert [one and one.number for one in befores] == [None, 1, 2]
    assert registry.aliases("ctr") == {"champion": 3, "previous": 2}
    states = [one.state for one in registry.versions("ctr")]
    assert states == [State.ARCHIVED, State.PREVIOUS, State.CHAMPION]
    assert registry.promote(registry.find("ctr", 3)) is None
    assert registry.set_state(registry.find("ctr", 3), "rejected").state is State.CHAMPION
    assert registry.roll_back("ctr").number == 2
    assert registry.aliases("ctr") == {"champion": 2}
    assert registry.find("ctr", 3).state is State.ROLLED_BACK
    with pytest.raises(RegistryError, match="no previous version"):
        registry.roll_back("ctr")


def test_attach__keeps_statements_in_order(registry, address, app, tmp_path):
    version = registered(registry, tmp_path, "one")
    for statement in (b"a", b"a", b"b", b"a"):
        digest = registry.attach(version, "verdict", statement)
    assert registry.attachments(version, "verdict") == (b"a", b"b", b"a")
    assert registry.attachments(version, "approval") == ()
    told = Server(address=address).get("model-versions/get", name=f"prod.{app}.ctr", version="1")[
        "model_version"
    ]
    assert {"key": "mlspec.verdict", "value": digest} in told["tags"]


WRITER = """
import sys
from pathlib import Path
from mlspec.ir.facts import RegistryFacts
from mlspec.runtime.registry import Draft, open_registry
facts = RegistryFacts(kind="mlflow", uri=sys.argv[1])
registry = open_registry(facts, "", sys.argv[2], "prod", {})
print("ready", flush=True)
for path in sys.argv[3:]:
    draft = Draft(model="ctr", created="2026-03-01T12:00:00Z", provenance={"spec": "s1"})
    print(registry.register(draft, Path(path)).number, flush=True)
"""


def started(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *map(str, words)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_register__processes_at_once_make_one_version_of_one_package(
    registry, address, app, tmp_path
):
    shared = package(tmp_path / "shared", "shared")
    own = [package(tmp_path / str(n), f"text {n}") for n in range(3)]
    running = [started(address, app, shared, folder) for folder in own]
    told = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 3, told
    assert len({out.split()[1] for out, _ in told}) == 1, "one number for the shared package"
    versions = registry.versions("ctr")
    assert len(versions) == len({one.digest for one in versions}) == 4


def test_register__killed_leaves_nothing_half(registry, address, app, tmp_path):
    folder = package(tmp_path / "p", "text")
    chance = random.Random(4)
    for _ in range(5):
        process = started(address, app, folder)
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.25))
        process.kill()
        process.communicate(timeout=10)
        for version in registry.versions("ctr"):
            assert digest_of_folder(registry.fetch(version, tmp_path / "got")) == version.digest
    registry.register(draft(), folder)
    (version,) = registry.versions("ctr")
    assert registry.aliases("ctr") == {"candidate": version.number}


def test_steps__register_approve_promote(address, app, tmp_path):
    """The steps of a version's life, with versions in MLflow and the log in the store."""
    ops = ApprovalFacts(role="ops", members=("@acme/ops",))
    facts = RegistryFacts(kind="mlflow", uri=address)
    life = Life(tmp_path, approvals=(ops,), registry=facts)
    life.registry = open_registry(facts, "", "shop", "prod", {})
    version = life.candidate("one " + app)
    assert life.approve() is StepExit.PENDING
    life.says(version, "olga")
    assert life.approve() is StepExit.OK
    assert life.promote(NOW) is StepExit.OK
    assert life.registry.find("ctr", "champion").digest == version.digest
    assert life.actions() == ["register", "request", "approve", "promote"]


def test_open__what_cannot_be_reached_is_temporary(tmp_path):
    facts = RegistryFacts(kind="mlflow", uri="http://127.0.0.1:9")
    found = open_registry(facts, "", "shop", "prod", {})
    with pytest.raises(RegistryError, match="cannot be reached") as caught:
        found.versions("ctr")
    assert caught.value.exit is StepExit.TEMPORARY
