"""Fit a logistic regression by stochastic gradient descent. Needs only Python."""

import argparse
import json
import math
import random
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float, required=True)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("train")
parser.add_argument("model")
arguments = parser.parse_args()

rows = [tuple(map(float, line.split(","))) for line in Path(arguments.train).read_text().split()]
rng = random.Random(arguments.seed)
weights = [rng.gauss(0, 0.1) for _ in range(3)]
for _ in range(20):
    rng.shuffle(rows)
    for x, y, label in rows:
        guess = 1 / (1 + math.exp(-(weights[0] * x + weights[1] * y + weights[2])))
        for index, value in enumerate((x, y, 1.0)):
            weights[index] += arguments.rate * (label - guess) * value
Path(arguments.model).write_text(json.dumps({"seed": arguments.seed, "weights": weights}) + "\n")
