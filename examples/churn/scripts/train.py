"""Logistic regression by stochastic gradient descent, with nothing but Python."""

import argparse
import json
import math
import random
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float, required=True)
parser.add_argument("--mode", choices=["full", "quick"], required=True)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("train")
parser.add_argument("model")
arguments = parser.parse_args()

rows = [tuple(map(float, line.split(","))) for line in Path(arguments.train).read_text().split()]
rng = random.Random(arguments.seed)
rng.shuffle(rows)
if arguments.mode == "quick":
    rows = rows[: len(rows) // 3]
weights = [0.0, 0.0, 0.0]
for _ in range(30):
    for months, tickets, left in rows:
        features = (months / 60, tickets / 10, 1.0)
        guess = 1 / (1 + math.exp(-sum(w * f for w, f in zip(weights, features))))
        weights = [w + arguments.rate * (left - guess) * f for w, f in zip(weights, features)]
Path(arguments.model).write_text(json.dumps({"seed": arguments.seed, "weights": weights}) + "\n")
