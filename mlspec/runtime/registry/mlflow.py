"""Versions in MLflow: registered model `<environment>.<app>.<model>`, aliases, tags, artifacts.

A version's package and statements are artifacts of a run of the experiment `<environment>.<app>`,
sent through the server (`--serve-artifacts`, its default): no credentials of a bucket are needed.

    artifacts of the run:  package/…  mlspec.json  attachments/<kind>/<serial>-<digest>
    tags of the version:   mlspec.digest  mlspec.state  mlspec.created  mlspec.spec
                           mlspec.verdict  mlspec.approval (digests of the newest statements)

MLflow has no transactions, so each change has one request that decides. A version is created last,
with its tags, when all artifacts are there. Of two versions of one digest the lower number counts,
and whoever made the other removes it. Who serves is what the alias `champion` says; the states
champion and previous are not tags but follow from the aliases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlspec.ir.facts import RegistryFacts
from mlspec.runtime.digests import digest_of_bytes, digest_of_files
from mlspec.runtime.registry.mlflow_http import MissingError, Server, TakenError
from mlspec.runtime.registry.model import (
    ALIASES,
    CANDIDATE,
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    Draft,
    RegistryError,
    State,
    Version,
    by_reference,
    check_alias,
    check_promotion,
    next_state,
    rolled_back,
)
from mlspec.runtime.registry.packages import (
    check_same,
    checked_statements,
    files_of_package,
    json_bytes,
    next_name,
    restore,
    safe_name,
)

FORMAT_VERSION = "1.0"
ADDRESS = "MLFLOW_TRACKING_URI"
"""Variable with the server's address, where the spec says none."""
_PROXIED = "mlflow-artifacts:/"
_TAGGED = ("verdict", "approval")


def open_mlflow(
    facts: RegistryFacts, app: str, environment: str, environ: Mapping[str, str]
) -> MlflowRegistry:
    """Return the registry on a server.

    Raises:
        RegistryError: no address, or one that is not of a server.
    """
    address = (facts.uri or environ.get(ADDRESS, "")).rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise RegistryError(
            f"the registry `mlflow` needs the address of a server, not `{address}`",
            help=f"write `targets.registry: {{kind: mlflow, uri: 'https://…'}}`, or set {ADDRESS}",
        )
    secret = environ.get(facts.secret_variable, "") if facts.secret_variable else ""
    return MlflowRegistry(Server(address=address, secret=secret), app, environment)


class MlflowRegistry:
    """See `mlspec.runtime.registry.model.Registry`."""

    def __init__(self, server: Server, app: str, environment: str) -> None:
        """Ask nothing yet."""
        self._server = server
        self._group = f"{safe_name(environment)}.{safe_name(app)}"
        self._known: dict[str, dict[str, Any]] = {}

    # -------------------------------------------------------------- reading

    def models(self) -> tuple[str, ...]:
        """Return the ids of models that have a version, sorted."""
        begins = f"{self._group}."
        found = self._server.pages(
            "registered-models/search", "registered_models", filter=f"name LIKE '{begins}%'"
        )
        names = sorted(str(one["name"]).removeprefix(begins) for one in found)
        return tuple(name for name in names if self.versions(name))

    def versions(self, model: str) -> tuple[Version, ...]:
        """Return all versions of a model, oldest first."""
        aliases = self.aliases(model)
        found = self._server.pages(
            "model-versions/search", "model_versions", filter=f"name='{self._name(model)}'"
        )
        ours = [one for one in found if "mlspec.digest" in _tags(one)]
        made: dict[str, Version] = {}
        for one in sorted(ours, key=lambda one: int(one["version"])):
            version = self._version(model, one, aliases)
            made.setdefault(version.digest, version)
        return tuple(made.values())

    def find(self, model: str, ref: str | int) -> Version | None:
        """Return a version by number, alias or digest."""
        return by_reference(self.versions(model), self.aliases(model), ref)

    def aliases(self, model: str) -> Mapping[str, int]:
        """Return the aliases of a model."""
        try:
            found = self._server.get("registered-models/get", name=self._name(model))
        except MissingError:
            return {}
        told = found["registered_model"].get("aliases") or ()
        aliases = {str(one["alias"]): int(one["version"]) for one in told}
        ours = {alias: number for alias, number in sorted(aliases.items()) if alias in ALIASES}
        if ours.get(PREVIOUS) == ours.get(CHAMPION):
            ours.pop(PREVIOUS, None)  # a promotion or rollback was killed half-way
        return ours

    def fetch(self, version: Version, into: Path) -> Path:
        """Write the package's folder to `into`, comparing its content with the digests."""
        root = self._root(version)

        def bring(path: str, _digest: str, place: Path) -> None:
            with suppress(MissingError):
                self._server.download(f"{root}/package/{path}", place)

        return restore(version, self._manifest(root)["files"], into, bring)

    # -------------------------------------------------------------- writing

    def register(self, draft: Draft, package: Path) -> Version:
        """Make a version of a package folder."""
        files = files_of_package(package)
        digest = digest_of_files(files)
        known = self._with_digest(draft.model, digest)
        if known is None:
            number = self._create(draft, package, files, digest)
            known = self._with_digest(draft.model, digest)
            if known is None:
                raise RegistryError(f"MLflow has lost version {draft.model}@{number}")
            if known.number != number:  # another run registered the same package meanwhile
                self._server.send(
                    "model-versions/delete",
                    {"name": self._name(draft.model), "version": str(number)},
                    method="DELETE",
                )
        check_same(known, draft)
        newest = max(one.number for one in self.versions(draft.model))
        if known.state is State.CANDIDATE and known.number == newest:
            self._alias(draft.model, CANDIDATE, known.number)
        return known

    def set_alias(self, model: str, alias: str, number: int | None) -> None:
        """Let an alias name a version, or nothing."""
        check_alias(alias)
        if number is None:
            self._no_alias(model, alias)
        elif self.find(model, number) is None:
            raise RegistryError(f"there is no version {model}@{number}")
        else:
            self._alias(model, alias, number)

    def set_state(self, version: Version, state: State | str) -> Version:
        """Move a version along `ARROWS`."""
        current = self._current(version)
        then = next_state(current, state)
        if then is not current.state:
            self._tag(version, "mlspec.state", then.value)
            if then is State.ARCHIVED:
                for alias, number in self.aliases(version.model).items():
                    if number == version.number:
                        self._no_alias(version.model, alias)
        return replace(current, state=then)

    def promote(self, version: Version) -> Version | None:
        """Make a version the champion; return the champion before it."""
        current = self._current(version)
        check_promotion(current)
        model, aliases = version.model, self.aliases(version.model)
        before, older = aliases.get(CHAMPION), aliases.get(PREVIOUS)
        if before == version.number:
            return None
        if older is not None and older != version.number:
            gone = self.find(model, older)
            if gone is not None:
                self._tag(gone, "mlspec.state", State.ARCHIVED.value)
        if before is not None:
            self._alias(model, PREVIOUS, before)
        self._alias(model, CHAMPION, version.number)  # this decides
        if before is None and older == version.number:
            self._no_alias(model, PREVIOUS)
        for alias in (CANDIDATE, CHALLENGER):
            if aliases.get(alias) == version.number:
                self._no_alias(model, alias)
        return self.find(model, before) if before is not None else None

    def roll_back(self, model: str) -> Version:
        """Make the previous version the champion again; return it."""
        aliases = self.aliases(model)
        after, _ = rolled_back(model, aliases, {})
        taken = self.find(model, aliases[CHAMPION])
        if taken is not None:
            self._tag(taken, "mlspec.state", State.ROLLED_BACK.value)
        self._alias(model, CHAMPION, after[CHAMPION])  # this decides
        self._no_alias(model, PREVIOUS)
        found = self.find(model, CHAMPION)
        if found is None:
            raise RegistryError(f"MLflow has lost the champion of `{model}`")
        return found

    def attach(self, version: Version, kind: str, statement: bytes) -> str:
        """Keep a statement about a version."""
        digest = digest_of_bytes(statement)
        folder = f"{self._root(version)}/attachments/{safe_name(kind)}"
        name = next_name(self._server.names(folder), digest)
        if name is not None:
            self._server.store(f"{folder}/{name}", statement)
        if kind in _TAGGED:
            self._tag(version, f"mlspec.{kind}", digest)
        return digest

    def attachments(self, version: Version, kind: str) -> tuple[bytes, ...]:
        """Return the statements of a kind, oldest first."""
        folder = f"{self._root(version)}/attachments/{safe_name(kind)}"
        names = self._server.names(folder)
        kept = ((name, self._server.load(f"{folder}/{name}")) for name in names)
        return checked_statements(version, kind, kept)

    # -------------------------------------------------------------- requests

    def _create(self, draft: Draft, package: Path, files: Mapping[str, str], digest: str) -> int:
        """Send the artifacts, then create the version; return its number."""
        name = self._name(draft.model)
        run = self._server.send(
            "runs/create",
            {"experiment_id": self._experiment(), "run_name": f"{draft.model} {digest[7:19]}"},
        )["run"]["info"]
        root = self._proxied(str(run["artifact_uri"]))
        for path in files:
            self._server.upload(f"{root}/package/{path}", package / path)
        manifest = {
            "format_version": FORMAT_VERSION,
            "model": draft.model,
            "digest": digest,
            "created": draft.created,
            "provenance": dict(draft.provenance),
            "facts": dict(draft.facts),
            "files": dict(files),
        }
        self._server.store(f"{root}/mlspec.json", json_bytes(manifest))
        with suppress(TakenError):  # it has versions already
            self._server.send("registered-models/create", {"name": name})
        tags = {
            "mlspec.digest": digest,
            "mlspec.state": State.CANDIDATE.value,
            "mlspec.created": draft.created,
            "mlspec.spec": str(draft.provenance.get("spec", "")),
        }
        made = self._server.send(
            "model-versions/create",
            {
                "name": name,
                "source": f"{_PROXIED}{root}/package",
                "run_id": run["run_id"],
                "tags": [{"key": key, "value": value} for key, value in tags.items()],
            },
        )
        self._server.send("runs/update", {"run_id": run["run_id"], "status": "FINISHED"})
        return int(made["model_version"]["version"])

    def _experiment(self) -> str:
        try:
            return str(
                self._server.send("experiments/create", {"name": self._group})["experiment_id"]
            )
        except TakenError:
            found = self._server.get("experiments/get-by-name", experiment_name=self._group)
            return str(found["experiment"]["experiment_id"])

    def _name(self, model: str) -> str:
        return f"{self._group}.{safe_name(model)}"

    def _proxied(self, uri: str) -> str:
        """Return a path of artifacts below the server's root."""
        if not uri.startswith(_PROXIED):
            scheme = uri.partition(":")[0]
            raise RegistryError(
                f"MLflow keeps artifacts at `{scheme}:`, where only clients with credentials write",
                help="start `mlflow server` with --serve-artifacts (its default)",
            )
        return uri.removeprefix(_PROXIED).lstrip("/")

    def _root(self, version: Version) -> str:
        return self._proxied(version.uri.removesuffix("/package"))

    def _manifest(self, root: str) -> dict[str, Any]:
        if root not in self._known:
            found = json.loads(self._server.load(f"{root}/mlspec.json"))
            major = str(found["format_version"]).partition(".")[0]
            if major != FORMAT_VERSION.partition(".")[0]:
                raise RegistryError("a version was written by a newer mlspec", help="update mlspec")
            self._known[root] = found
        return self._known[root]

    def _version(self, model: str, told: Mapping[str, Any], aliases: Mapping[str, int]) -> Version:
        tags, number = _tags(told), int(told["version"])
        manifest = self._manifest(self._proxied(str(told["source"]).removesuffix("/package")))
        state = State(tags.get("mlspec.state", State.CANDIDATE.value))
        for alias, served in ((PREVIOUS, State.PREVIOUS), (CHAMPION, State.CHAMPION)):
            if aliases.get(alias) == number:
                state = served
        return Version(
            model=model,
            number=number,
            digest=tags["mlspec.digest"],
            state=state,
            created=tags.get("mlspec.created", ""),
            uri=str(told["source"]),
            provenance=manifest["provenance"],
            facts=manifest["facts"],
        )

    def _with_digest(self, model: str, digest: str) -> Version | None:
        return next((one for one in self.versions(model) if one.digest == digest), None)

    def _current(self, version: Version) -> Version:
        """Return the version as it is now, which may differ from what the caller read."""
        found = self.find(version.model, version.number)
        if found is None:
            raise RegistryError(f"there is no version {version.name}")
        if found.digest != version.digest:
            raise RegistryError(f"version {version.name} has another digest: {found.digest}")
        return found

    def _tag(self, version: Version, key: str, value: str) -> None:
        self._server.send(
            "model-versions/set-tag",
            {
                "name": self._name(version.model),
                "version": str(version.number),
                "key": key,
                "value": value,
            },
        )

    def _alias(self, model: str, alias: str, number: int) -> None:
        self._server.send(
            "registered-models/alias",
            {"name": self._name(model), "alias": alias, "version": str(number)},
        )

    def _no_alias(self, model: str, alias: str) -> None:
        self._server.send(
            "registered-models/alias",
            {"name": self._name(model), "alias": alias},
            method="DELETE",
        )


def _tags(version: Mapping[str, Any]) -> dict[str, str]:
    return {str(one["key"]): str(one["value"]) for one in version.get("tags") or ()}
