"""Faults in the project's own functions: told in the project's lines, and nothing half made."""

from __future__ import annotations

import pytest

from tests.support.faults import TRAIN

ROW = "def basics(row):\n    "
LINE = TRAIN.partition("def fit")[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ROW + "return {'amount': 1 / 0}\n", "own/features.py:2 in basics"),
        (ROW + "return {'amount': 1.0}\n", "row 0 (key 'k0000'): it did not return `visits`"),
        (ROW + "return {'amount': 1.0, 'visits': 1, 'x': 2}\n", "`x`, which is not declared"),
        (ROW + "return {'amount': 'a', 'visits': 1}\n", "is str 'a', not float"),
        (ROW + "return {'amount': object(), 'visits': 1}\n", "not float"),
        (ROW + "return {'amount': float('nan'), 'visits': 1}\n", "row 0 (key 'k0000'): is NaN"),
        (ROW + "return {'amount': 1.0, 'visits': 10**30}\n", "does not fit int64"),
        (ROW + "return None\n", "it returned None, not a dict"),
        (ROW + "return [1, 2]\n", "it returned list [1, 2], not a dict"),
        (ROW + "return {'amount': row['nope'], 'visits': 1}\n", "KeyError: 'nope'"),
        (ROW + "import sys; sys.exit(0)\n", "it called `sys.exit(0)`"),
        (ROW + "return basics(row)\n", "lines more\n"),
        ("class Odd(BaseException): pass\n" + ROW + "raise Odd('x')\n", "Odd: x"),
        ("async def basics(row): return {}\n", "returned coroutine"),
        ("def basics(row:\n", "SyntaxError: '(' was never closed\n  own/features.py:1"),
        ("import nothing_like_it\n", "install `nothing_like_it` where steps run"),
        ("def other(row): return {}\n", "`own/features.py` has no function `basics`"),
        ("x = 1\0\n", "null bytes"),
        ("# coding: nope\n", "unknown encoding: nope"),
    ],
)
@pytest.mark.filterwarnings("ignore:coroutine")
def test_features__of_a_function_that_fails(bench, text, says):
    bench.write("own/features.py", text)
    kept = bench.made("features", "rows") / "rows.parquet"
    before = kept.read_bytes()
    end = bench.run("features")
    assert end.code == 1
    assert says in end
    assert "error: " in end
    assert kept.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        "import sys\n" + ROW + "sys.stdout.close(); return {'amount': 1.0, 'visits': 1}\n",
        "import os\n" + ROW + "os.chdir('/'); return {'amount': 1.0, 'visits': 1}\n",
        ROW + "print('::error::x\\x1b[31m'); return {'amount': 1.0, 'visits': 1}\n",
        ROW + "row.clear(); return {'amount': 1.0, 'visits': 1}\n",
    ],
)
def test_features__of_a_function_with_bad_manners(bench, text):
    bench.write("own/features.py", text)
    end = bench.alone("features")
    assert (end.code, "Traceback" in end) == (0, False)


FIT = "def fit(features, label):\n    "
BAD = "class Bad(Line):\n    def predict(self, features):\n        n = features.num_rows\n"
GOOD = "    return Bad(2.0)\n"


def predicting(answer: str) -> str:
    return f"{LINE}{BAD}        return {answer}\n\n\n{FIT.rstrip(' ')}{GOOD}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (predicting("np.full(n, np.nan)"), "predicts no number (NaN or infinite) for 240 of 240"),
        (LINE + FIT + "import os, signal; os.kill(os.getpid(), 9)\n", "was killed by SIGKILL"),
    ],
)
def test_train__of_a_function_that_fails(bench, text, says):
    trained_that_fails(bench, text, says)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LINE + FIT + "raise ValueError('no luck')\n", "own/train.py:21 in fit: raise ValueError"),
        (LINE + FIT + "return 'x'\n", "returned a `builtins.str`, which no model format keeps"),
        (LINE + FIT + "return None\n", "returned nothing and wrote nothing into `output`"),
        (LINE + FIT + "import sys; sys.exit(0)\n", "it called `sys.exit(0)`"),
        (LINE + FIT + "import os; os._exit(0)\n", "ended without an answer"),
        (LINE + FIT + "import os; os._exit(7)\n", "ended with exit code 7"),
        (LINE + FIT + "import os, signal; os.kill(os.getpid(), 11)\n", "was killed by SIGSEGV"),
        (LINE + FIT + "raise MemoryError\n", "MemoryError"),
        (LINE + "def fit(features, labels): pass\n", "asks for `labels`, which is not offered"),
        (LINE + "def fits(features, label): pass\n", "has no function `fit`"),
        (predicting("np.where(np.arange(n) == 3, np.nan, 0.5)"), "for 1 of 240 rows"),
        (predicting("np.full(n, 2.0)"), "gives 2, which is no probability"),
        (predicting("np.full(n - 1, 0.5)"), "gives 239 predictions for 240 rows"),
        (predicting("np.array(['a'] * n)"), "gives `a`, which is no probability"),
        (predicting("None"), "gives 1 predictions for 240 rows"),
        (predicting("1 / 0"), "`own.train:Bad.predict` failed: ZeroDivisionError"),
        (predicting("exit(0)"), "it called `sys.exit(0)`"),
        (
            f"{LINE}class Bad(Line):\n    def save(self, folder): pass\n{FIT.rstrip(' ')}{GOOD}",
            "wrote nothing into the folder",
        ),
        (
            f"{LINE}import os\nclass Bad(Line):\n    def save(self, folder): "
            f"super().save(folder); os.mkfifo(folder / 'pipe')\n{FIT.rstrip(' ')}{GOOD}",
            "`model/pipe` is no file",
        ),
        (
            f"{LINE}class Bad(Line):\n    def save(self, folder): "
            f"(folder / 'x').symlink_to('/etc/hostname')\n{FIT.rstrip(' ')}{GOOD}",
            "is a link that leads out of the folder",
        ),
    ],
)
def test_train__of_a_function_that_fails_otherwise(bench, text, says):
    trained_that_fails(bench, text, says)


def trained_that_fails(bench, text, says):
    bench.write("own/train.py", text)
    kept = bench.made("train", "model") / "model.json"
    before = kept.read_bytes()
    end = bench.run("train")
    assert end.code == 1
    assert says in end
    assert "error: " in end
    assert "Traceback" not in end
    assert kept.read_bytes() == before


@pytest.mark.slow
def test_train__that_closes_its_output_and_prints_rubbish(bench):
    bench.write(
        "own/train.py",
        LINE + FIT + "import os, sys\n    os.write(1, b'\\xff\\xfe\\n')\n"
        "    sys.stdout.close()\n    return Line(2.0)\n",
    )
    assert bench.run("train").code == 0
