"""Split customers into rows to train on and rows to test on: every fourth tests."""

import csv
import sys
from pathlib import Path

raw, train, test = sys.argv[1:]
rows = [(float(row["months"]), float(row["tickets"]), int(row["left"])) for row in csv.DictReader(open(raw))]
for path, chosen in ((train, [r for i, r in enumerate(rows) if i % 4]), (test, rows[::4])):
    Path(path).write_text("".join(f"{months},{tickets},{left}\n" for months, tickets, left in chosen))
