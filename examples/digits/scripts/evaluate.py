"""Score every model of a folder on the test rows; write one line for each, and the summary as JSON."""

import json
import sys
from pathlib import Path

import numpy as np

folder, test_path, scores_path = sys.argv[1:]
rows = np.loadtxt(test_path, delimiter=",")
labels, pixels = rows[:, 0].astype(int), rows[:, 1:] / 16
scores = {}
for entry in json.loads((Path(folder) / "index.json").read_text()):
    model = json.loads((Path(folder) / entry["entry"]).read_text())
    predicted = (pixels @ np.array(model["weights"]).T + np.array(model["bias"])).argmax(axis=1)
    scores[entry["entry"]] = round(float((predicted == labels).mean()), 6)
lines = ["model,accuracy", *(f"{name},{accuracy}" for name, accuracy in sorted(scores.items()))]
Path(scores_path).write_text("\n".join(lines) + "\n")
summary = {"best_accuracy": max(scores.values()), "mean_accuracy": round(sum(scores.values()) / len(scores), 6), "models": len(scores)}
Path("out/evaluation.json").write_text(json.dumps(summary, indent=2) + "\n")
