"""Fit a linear classifier on a seeded sample of the rows; write its weights as JSON."""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import SGDClassifier

parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--alpha", type=float, required=True)
parser.add_argument("train")
parser.add_argument("model")
arguments = parser.parse_args()

rows = np.loadtxt(arguments.train, delimiter=",")
chosen = np.random.default_rng(arguments.seed).choice(len(rows), size=len(rows) * 2 // 3, replace=False)
labels, pixels = rows[chosen, 0].astype(int), rows[chosen, 1:] / 16
model = SGDClassifier(loss="log_loss", alpha=arguments.alpha, random_state=arguments.seed, max_iter=50, tol=None)
model.fit(pixels, labels)
weights = {"seed": arguments.seed, "weights": model.coef_.round(6).tolist(), "bias": model.intercept_.round(6).tolist()}
Path(arguments.model).write_text(json.dumps(weights))
Path("out/fit.json").write_text(json.dumps({"train_accuracy": round(model.score(pixels, labels), 6)}) + "\n")
