"""Write a page for people: the scores, and which model was chosen."""

import json
import sys
from pathlib import Path

scores_path, best_path, page_path = sys.argv[1:]
header, *rows = [line.split(",") for line in Path(scores_path).read_text().splitlines()]
seed = json.loads(Path(best_path).read_text())["seed"]
lines = ["# Digits", "", f"Chosen: the model with seed {seed}.", "", f"| {' | '.join(header)} |", "|---|---|"]
lines += [f"| {name} | {float(accuracy):.3f} |" for name, accuracy in rows]
Path(page_path).write_text("\n".join(lines) + "\n")
