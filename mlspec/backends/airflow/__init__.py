"""Back end for Apache Airflow 3.1 to 3.3: one DAG file for each pipeline.

Input: applications (finished IR). Output: `dags/<app>_<pipeline>.py`, one module with run-time
support that all DAGs of an application share, and `pools/<app>.json` where there are locks.
"""

from __future__ import annotations

from mlspec.backends.airflow.capabilities import CAPABILITIES
from mlspec.backends.airflow.model import Bundle
from mlspec.backends.base import LowerOptions
from mlspec.diagnostics.model import Result
from mlspec.emit.artifact import Artifact
from mlspec.ir.model import Application


class AirflowBackend:
    """Emits DAG files."""

    name = "airflow"
    capabilities = CAPABILITIES

    def lower(self, applications: tuple[Application, ...], options: LowerOptions) -> Result[Bundle]:
        """Return the model of all files."""
        from mlspec.backends.airflow.lower import lower

        return lower(applications, options)

    def emit(self, model: Bundle) -> tuple[Artifact, ...]:
        """Print the files."""
        from mlspec.backends.airflow.emit import emit

        return emit(model)


BACKEND = AirflowBackend()
