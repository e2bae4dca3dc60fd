"""The audit log of an application: who did what to which version, when and on what grounds.

`append` adds a record, `records` reads them, `verify` finds whatever was changed since.
"""

from __future__ import annotations

from mlspec.runtime.audit.copies import copies_at
from mlspec.runtime.audit.ledger import Head
from mlspec.runtime.audit.log import append, head_of, records
from mlspec.runtime.audit.model import ACTIONS, Actor, Entry, Record, Subject
from mlspec.runtime.audit.verification import Anchor, Fault, Verified, verify

__all__ = [
    "ACTIONS",
    "Actor",
    "Anchor",
    "Entry",
    "Fault",
    "Head",
    "Record",
    "Subject",
    "Verified",
    "append",
    "copies_at",
    "head_of",
    "records",
    "verify",
]
