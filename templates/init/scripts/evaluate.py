"""Score every model of a folder on the test rows; keep the best, write its accuracy."""

import json
import shutil
import sys
from pathlib import Path

folder, test_path, best_path = sys.argv[1:]
rows = [tuple(map(float, line.split(","))) for line in Path(test_path).read_text().split()]
scores = {}
for entry in json.loads((Path(folder) / "index.json").read_text()):
    a, b, c = json.loads((Path(folder) / entry["entry"]).read_text())["weights"]
    right = sum((a * x + b * y + c > 0) == (label > 0.5) for x, y, label in rows)
    scores[entry["entry"]] = right / len(rows)
best = max(sorted(scores), key=scores.__getitem__)
shutil.copy(Path(folder) / best, best_path)
Path("out/metrics.json").write_text(json.dumps({"accuracy": scores[best], "models": len(scores)}) + "\n")
