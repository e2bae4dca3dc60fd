"""The same model, the same bytes; and it still loads and predicts the same."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from mlspec.runtime.models.skops_archive import canonical

pytest.importorskip("sklearn")
skops_io = pytest.importorskip("skops.io")

PROGRAM = """
import sys
import numpy as np
from pathlib import Path
from sklearn.ensemble import RandomForestClassifier
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
import skops.io
from mlspec.runtime.models.skops_archive import canonical

junk = [object() for _ in range(int(sys.argv[2]))]  # other addresses
rng = np.random.default_rng(3)
x = np.empty((200, 2), dtype=object)
x[:, 0] = rng.normal(size=200)
x[:, 1] = rng.choice(["a", "b", "c"], 200)
y = (x[:, 0].astype(float) > 0).astype(int)
columns = ColumnTransformer([("n", StandardScaler(), [0]), ("w", OneHotEncoder(), [1])])
model = make_pipeline(columns, RandomForestClassifier(5, random_state=1)).fit(x, y)
skops.io.dump(model, sys.argv[1])
canonical(Path(sys.argv[1]))
"""


def test_canonical__two_processes_write_the_same_bytes(tmp_path):
    paths = []
    for number, junk in enumerate((0, 1000)):
        paths.append(tmp_path / f"{number}.skops")
        words = [sys.executable, "-c", PROGRAM, str(paths[-1]), str(junk)]
        subprocess.run(words, check=True, timeout=120)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_canonical__loads_and_predicts_the_same(tmp_path):
    from sklearn.ensemble import GradientBoostingRegressor

    x = np.random.default_rng(0).normal(size=(60, 3))
    model = GradientBoostingRegressor(n_estimators=5, random_state=0).fit(x, x[:, 0])
    path = tmp_path / "m.skops"
    skops_io.dump(model, path)
    canonical(path)
    found = skops_io.load(path, trusted=skops_io.get_untrusted_types(file=path))
    np.testing.assert_array_equal(found.predict(x), model.predict(x))
    once = path.read_bytes()
    canonical(path)
    assert path.read_bytes() == once


def test_canonical__what_is_no_skops_file_is_refused(tmp_path):
    path = tmp_path / "m.skops"
    path.write_bytes(b"not a zip")
    with pytest.raises(Exception, match="zip"):
        canonical(path)
    assert path.read_bytes() == b"not a zip"
