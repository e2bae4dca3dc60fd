"""Versions and records in a real S3 API: writers at once, writers that are killed, a whole chain."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from mlspec.cli.place import open_place
from mlspec.ir.kinds import Kind
from mlspec.ir.node import write_node
from tests.support.score_tables import binary, write
from tests.support.versions import package

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "support" / "object_store_run.py"
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=key/20260301/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=0"
)
pytestmark = pytest.mark.engine("data")


def python() -> Path:
    engines = os.environ.get("MLSPEC_ENGINES") or Path.home() / ".cache" / "mlspec-engines"
    found = Path(engines) / "data" / "bin" / "python"
    if not found.exists():
        pytest.skip("the data libraries are not installed: tests/engines/install.sh data")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that speaks S3, with the bucket `lake`."""

    address: str

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.address,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def ask(self, method: str, name: str, content: bytes | None = None) -> bytes:
        """Do something to an object, as somebody else than mlspec."""
        place = f"{self.address}/lake/{name}".removesuffix("/")
        headers = {"Authorization": SIGNED, "Content-Type": "application/json"}
        request = Request(place, content, headers, method=method)
        with urlopen(request, timeout=30) as answer:
            return answer.read()

    def started(self, *words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [python(), SCRIPT, *map(str, words)],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def told(self, *words: object) -> list[str]:
        """Run a script; return the lines that it prints."""
        process = self.started(*words)
        out, problem = process.communicate(timeout=120)
        assert process.returncode == 0, problem[-3000:]
        assert "Traceback" not in problem, problem[-3000:]
        return out.splitlines()[1:]

    def data(self, *words: object):
        return json.loads(self.told(*words)[-1])


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def serving(*words: str) -> Iterator[Server]:
    port = free_port()
    server = Server(address=f"http://127.0.0.1:{port}")
    script = ROOT / "tests" / "support" / "s3_server.py"
    process = subprocess.Popen(
        [python(), script, str(port), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            try:
                server.ask("PUT", "")
                break
            except OSError:
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    yield from serving()


@pytest.mark.parametrize("address", ["s3://lake/place", "memory://lake/place"])
def test_place__of_each_kind_does_the_same(server, tmp_path, address):
    assert server.data("place", address, tmp_path) == {
        "create": [True, False, True],
        "read": ["b'1'", "None"],
        "names": [["1"], ["blobs", "n"], ["aa"], []],
        "size": [1, None, None, 3000],
        "all": ["blobs/aa/big", "n/1"],
        "bring": [True, False],
        "back": True,
        "replaced": "b'3'",
    }


def test_place__a_server_that_ignores_the_condition_is_refused():
    for deaf in serving("--deaf"):
        found = deaf.data("log", "s3://lake/deaf", 1, "p")
        assert found["exit"] == 1
        assert "the store creates a name twice" in found["error"]


def test_place__what_cannot_be_reached_is_tried_again(server):
    nowhere = Server(address=f"http://127.0.0.1:{free_port()}")
    gone = nowhere.data("log", "s3://lake/x", 1, "p")
    assert (gone["exit"], "does not answer" in gone["error"]) == (75, True)
    bucket = server.data("log", "s3://nobucket/x", 1, "p")
    assert (bucket["exit"], bucket["error"]) == (1, "the audit log: there is no bucket `nobucket`")
    package = server.data("log", "gs://bucket/x", 1, "p")
    assert package["error"] == "the audit log needs `gcsfs`, which is not installed"


def test_log__four_processes_at_once_make_one_chain(server):
    store = "s3://lake/at-once"
    running = [server.started("log", store, 8, f"p{number}") for number in range(4)]
    told = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 4, told
    numbers = [int(line) for out, _ in told for line in out.splitlines()[1:]]
    assert sorted(numbers) == list(range(1, 33))
    found = server.data("verify", store)
    assert found == {"count": 32, "faults": [], "different": 32, "head": 32}


def test_log__killed_at_any_point_loses_nothing_that_was_acknowledged(server):
    store, chance, said = "s3://lake/killed", random.Random(5), 0
    for _ in range(3):
        running = [server.started("log", store, 500, f"p{number}") for number in range(2)]
        for process in running:
            process.stdout.readline()
            process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.6))
        for process in running:
            os.kill(process.pid, signal.SIGKILL)
        for process in running:
            lines = process.communicate(timeout=20)[0].splitlines()
            said = max([said, *map(int, lines)])
        found = server.data("verify", store)
        assert found["faults"] == []
        assert found["count"] >= said
    assert said > 8
    assert server.told("log", store, 1, "last") == [str(found["count"] + 1)]
    assert server.data("verify", store)["head"] == found["count"] + 1


def test_log__whatever_is_done_to_records_shows(server):
    server.told("log", "s3://lake/seen", 5, "p")
    names = [f"seen/shop/audit/records/{number:012d}.json" for number in range(1, 6)]
    good = [server.ask("GET", name) for name in names]

    def faults() -> list[list[object]]:
        return server.data("verify", "s3://lake/seen")["faults"]

    assert faults() == []
    server.ask("PUT", names[1], good[1].replace(b'"p"', b'"q"'))
    assert [2, "it is not what record 3 was written after: it was changed"] in faults()
    server.ask("PUT", names[1], good[2])
    server.ask("PUT", names[2], good[1])
    assert [2, "it is record 3: lines are missing or moved"] in faults()
    server.ask("PUT", names[1], good[1])
    server.ask("DELETE", names[2])
    assert [3, "it is gone"] in faults()
    server.ask("PUT", names[2], good[2])
    assert faults() == []
    server.ask("DELETE", names[4])
    assert faults() == [[0, "1 records at the end are gone: 5 were written"]]
    refused = server.data("log", "s3://lake/seen", 1, "p")
    assert "record 5 was the last, and it is gone" in refused["error"]


def test_keys__the_first_one_stays(server):
    store = "s3://lake/keys"
    assert server.data("key", store, "olga", "ed25519:a") == {"olga": "ed25519:a"}
    assert server.data("key", store, "olga", "ed25519:b") == {"olga": "ed25519:a"}


@pytest.mark.parametrize("store", ["s3://lake/life", "memory://lake/life"])
def test_registry__a_life(server, tmp_path, store):
    aliases, back, states = server.data("life", store, tmp_path)
    assert (aliases, back) == ({"champion": 2, "previous": 1}, 1)
    assert states == ["champion", "rolled-back"]
    assert (tmp_path / "got" / "model" / "model.txt").read_text() == "two"


def test_registry__processes_at_once_and_kills_lose_nothing(server, tmp_path):
    store = "s3://lake/many"
    shared = package(tmp_path / "shared", "shared")
    mine = [
        [package(tmp_path / f"{process}-{n}", f"{process} {n}") for n in range(3)]
        for process in range(3)
    ]
    chance = random.Random(7)
    for _ in range(2):  # writers that are killed in the midst, and begin again
        doomed = [server.started("register", store, *folders) for folders in mine]
        for process in doomed:
            process.stdout.readline()
        time.sleep(chance.uniform(1.0, 2.5))
        for process in doomed:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate(timeout=20)
    running = [server.started("register", store, *folders, shared) for folders in mine]
    told = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0] * 3, told
    numbers = [out.split()[1:] for out, _ in told]
    assert len({one[-1] for one in numbers}) == 1, "the shared package has one number"
    assert {int(one) for found in numbers for one in found} == set(range(1, 11))


def chain_project(tmp_path: Path) -> Path:
    """Make the pattern with an approval, whose production keeps everything in an object store."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "examples" / "c_approval", project)
    spec = (project / "mlspec.yaml").read_text(encoding="utf-8")
    more = """
environments:
  prod:
    store: s3://lake/chain
    targets: {pipelines: airflow}
policy: {audit: {to: "s3://lake/vault", sign: ed25519}}
"""
    (project / "mlspec.yaml").write_text(spec + more, encoding="utf-8")
    return project


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Real steps and commands against a real store."""

    server: Server
    project: Path

    def mlspec(self, *words: object, **environ: str) -> subprocess.CompletedProcess[str]:
        home = self.project.parent
        return subprocess.run(
            [python(), "-m", "mlspec", *map(str, words)],
            cwd=self.project,
            env={
                **self.server.environ,
                "HOME": str(home),
                "XDG_CONFIG_HOME": str(home / "config"),
                "COLUMNS": "120",
                **environ,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def step(self, kind: Kind, given: dict[str, Path], wanted: str) -> int:
        nodes = open_place(self.project / "mlspec.yaml", "prod", command="versions").nodes()
        node = next(one for one in nodes if one.kind is kind)
        out = self.project.parent / "out" / wanted
        done = self.mlspec(
            "step",
            kind.value,
            *(word for name, path in given.items() for word in ("--in", f"{name}={path}")),
            "--out",
            f"{wanted.partition('.')[0]}={out}",
            MLSPEC_NODE=write_node(node),
            MLSPEC_RUN_STORE="s3://lake/chain",
            MLSPEC_RUN_ID="scheduled__2026-03-01",
            MLSPEC_RUN_DATE="2026-03-01T12:00:00Z",
            MLSPEC_RUN_ACTOR="dana",
            MLSPEC_RUN_ISSUER="airflow",
        )
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        return done.returncode


def test_chain__register_gate_approve_promote_and_the_commands(server, tmp_path):
    chain = Chain(server=server, project=chain_project(tmp_path))
    out = tmp_path / "out"
    labels, good = binary(3000)
    columns = {"_label": labels, "candidate": good, "baseline": [0.3] * 3000}
    scores, made = write(tmp_path / "scores", columns), package(tmp_path / "package")
    told = {"version": out / "version.json", "verdict": out / "verdict"}
    judged = {"scores": scores, "version": told["version"], "package": made}

    assert chain.step(Kind.REGISTER, {"package": made}, "version.json") == 0
    assert chain.step(Kind.GATE, judged, "verdict") == 0
    assert chain.step(Kind.APPROVE, told, "approval.json") == 12
    assert "wants 1 of ad-operations" in chain.mlspec("approvals").stdout
    own = chain.mlspec("approve", "ctr@1", "--env", "prod", "--as", "dana")
    assert (own.returncode, "four eyes" in own.stderr or "did not belong" in own.stderr) == (
        1,
        True,
    )
    said = chain.mlspec("approve", "ctr@1", "--env", "prod", "--as", "olga")
    assert (said.returncode, said.stdout) == (0, "approved models.ctr@1 as olga\n"), said.stderr
    assert chain.step(Kind.APPROVE, told, "approval.json") == 0
    assert chain.step(Kind.PROMOTE, told, "promotion.json") == 0

    (row,) = json.loads(chain.mlspec("versions", "--format", "json").stdout)["versions"]
    assert (row["version"], row["state"], row["aliases"]) == ("ctr@1", "champion", ["champion"])
    assert "approved by olga (ad-operations)" in chain.mlspec("why", "ctr").stdout
    shown = json.loads(chain.mlspec("audit", "show", "--format", "json").stdout)["records"]
    assert [one["action"] for one in shown] == ["register", "gate", "request", "approve", "promote"]
    assert shown[0]["actor"] == {"subject": "dana", "issuer": "airflow", "role": ""}
    whole = chain.mlspec("audit", "verify", "--env", "prod")
    assert (whole.returncode, "whole" in whole.stdout) == (0, True), whole.stderr
    assert not (chain.project / ".mlspec").exists(), "nothing was looked for on this machine"
    with pytest.raises(HTTPError):
        server.ask("GET", "chain/ad-ctr/audit/log.jsonl")

    server.ask("DELETE", f"chain/ad-ctr/audit/records/{5:012d}.json")
    broken = chain.mlspec("audit", "verify")
    assert broken.returncode == 1
    assert "1 records at the end are gone" in broken.stderr
    assert "version ctr@1 has no record of `promote`" in broken.stderr
    assert "line 5: its copy in s3://lake/vault/ad-ctr says something else" in broken.stderr
