"""ML700 to ML709: resources and time."""

from __future__ import annotations

from mlspec.diagnostics.model import Code, Severity

GPU_UNUSED = Code("ML701", "gpu-unused", "accelerators for an engine that cannot use them")
WORKERS_UNUSED = Code("ML702", "workers-unused", "workers for an engine that is not distributed")
ENGINE_UNFIT = Code("ML703", "engine-unfit", "an engine that cannot do what it is asked for")
QUOTA = Code("ML704", "quota-exceeded", "steps that may run at once and exceed the quota")
TOO_LONG = Code(
    "ML705",
    "too-long",
    "a pipeline that may last longer than its interval",
    Severity.WARNING,
)
