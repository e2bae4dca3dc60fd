"""Make two files of points with a label: inside or outside of a tilted band. Needs only Python."""

import random
import sys
from pathlib import Path

rng = random.Random(7)
for path, rows in zip(sys.argv[1:], (600, 200)):
    lines = []
    for _ in range(rows):
        x, y = rng.uniform(-1, 1), rng.uniform(-1, 1)
        label = int(x + 0.5 * y + rng.gauss(0, 0.15) > 0)
        lines.append(f"{x:.4f},{y:.4f},{label}\n")
    Path(path).write_text("".join(lines))
