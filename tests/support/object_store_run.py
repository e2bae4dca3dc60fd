"""Writers for tests of object stores; runs inside the `data` environment of tests/engines/install.sh.

Usage: object_store_run.py WHAT STORE WORD...; each prints `ready`, then what it did.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mlspec.ir.facts import RegistryFacts
from mlspec.runtime import audit
from mlspec.runtime.audit import Actor, Entry, Subject
from mlspec.runtime.registry import open_registry
from mlspec.runtime.registry.model import Draft
from mlspec.runtime.steps.contract import StepError
from mlspec.runtime.storage.objects import ObjectPlace
from mlspec.runtime.trust.known import known_keys, remember_keys
from tests.support.versions import package


def say(what: object) -> None:
    print(what, flush=True)


def log(store: str, count: str, who: str) -> None:
    """Add records; print the number of each when it is acknowledged."""
    for number in range(int(count)):
        entry = Entry(
            time="2026-03-01T12:00:00Z",
            action="gate",
            actor=Actor(subject=who),
            subject=Subject(name="x" * 3000, digest=str(number)),
        )
        say(audit.append(store, "shop", entry).seq)


def register(store: str, *folders: str) -> None:
    """Register packages, and attach a note to each version."""
    registry = open_registry(RegistryFacts(), store, "shop", "prod", {})
    for folder in folders:
        draft = Draft(model="ctr", created="2026-03-01T12:00:00Z", provenance={"spec": "s1"})
        version = registry.register(draft, Path(folder))
        registry.attach(version, "note", folder.encode())
        say(version.number)


def promote(store: str) -> None:
    """Promote for ever."""
    registry = open_registry(RegistryFacts(), store, "shop", "prod", {})
    while True:
        for version in registry.versions("ctr"):
            if version.state.value in ("validated", "previous"):
                registry.promote(version)
                say(version.number)


def key(store: str, who: str, key: str) -> None:
    """Remember a key."""
    remember_keys(store, "shop", {who: key})
    say(json.dumps(known_keys(store, "shop")))


def place(address: str) -> None:
    """Do everything that a place can, and print what came of it."""
    here = ObjectPlace(address, what="the log")
    folder = Path(sys.argv[3])
    (folder / "big").write_bytes(b"big" * 1000)
    here.send(folder / "big", "blobs/aa/big")
    told = {
        "create": [here.create("n/1", content) for content in (b"1", b"2", b"1")],
        "read": [str(here.read(name)) for name in ("n/1", "n/2")],
        "names": [here.names(name) for name in ("n", "", "blobs", "none")],
        "size": [here.size(name) for name in ("n/1", "n/2", "n", "blobs/aa/big")],
        "all": sorted(here.read_all(["n/1", "n/2", "blobs/aa/big"])),
        "bring": [here.bring("blobs/aa/big", folder / "back"), here.bring("n/9", folder / "no")],
    }
    here.replace("n/1", b"3")
    told["back"] = (folder / "back").read_bytes() == (folder / "big").read_bytes()
    told["replaced"] = str(here.read("n/1"))
    say(json.dumps(told))


def life(store: str, folder: str) -> None:
    """Lead two versions through their lives."""
    registry = open_registry(RegistryFacts(), store, "shop", "prod", {})
    draft = Draft(model="ctr", created="2026-03-01T12:00:00Z", provenance={"spec": "s1"})
    one, two = (
        registry.register(draft, package(Path(folder) / text, text)) for text in ("one", "two")
    )
    for version in (one, two):
        registry.promote(registry.set_state(version, "validated"))
    registry.fetch(two, Path(folder) / "got")
    told = [dict(registry.aliases("ctr")), registry.roll_back("ctr").number]
    say(json.dumps([*told, [one.state.value for one in registry.versions("ctr")]]))


def verify(store: str) -> None:
    """Verify the log."""
    found = audit.verify(store, "shop")
    faults = [[one.line, one.message] for one in found.faults]
    who = len({(one.entry.actor.subject, one.entry.subject.digest) for one in found.records})
    head = audit.head_of(store, "shop").count
    say(json.dumps({"count": found.count, "faults": faults, "different": who, "head": head}))


if __name__ == "__main__":
    say("ready")
    try:
        globals()[sys.argv[1]](*sys.argv[2:3], *(sys.argv[3:] if sys.argv[1] != "place" else ()))
    except StepError as error:
        say(json.dumps({"error": error.message, "help": error.help, "exit": int(error.exit)}))
