"""Where records and versions are kept: a folder, or an object store, behind one small interface.

`place_of` opens an address; `Numbered` is a list of entries in it that many writers may append to.
"""

from __future__ import annotations

from mlspec.runtime.storage.model import Place
from mlspec.runtime.storage.numbered import Numbered
from mlspec.runtime.storage.opening import folder_of, place_of

__all__ = ["Numbered", "Place", "folder_of", "place_of"]
