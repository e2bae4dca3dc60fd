"""Reads and writes YAML with PyYAML's C code alone: what any program here pays at least.

Usage: peer_yaml.py INPUT OUTPUT.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

with Path(sys.argv[1]).open("rb") as source:
    data = yaml.load(source, Loader=yaml.CSafeLoader)
with Path(sys.argv[2]).open("w", encoding="utf-8") as target:
    yaml.dump(data, target, Dumper=yaml.CSafeDumper)
