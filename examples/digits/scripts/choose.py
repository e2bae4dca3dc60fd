"""Copy the model with the best score."""

import csv
import json
import shutil
import sys
from pathlib import Path

folder, scores_path, best_path = sys.argv[1:]
with open(scores_path, newline="") as file:
    best = max(csv.DictReader(file), key=lambda row: (float(row["accuracy"]), row["model"]))
shutil.copy(Path(folder) / best["model"], best_path)
Path("out/best-metrics.json").write_text(json.dumps({"accuracy": float(best["accuracy"]), "seed": int(best["model"])}) + "\n")
