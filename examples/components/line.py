"""Fit a line to a CSV file whose last column is the target, or predict with it."""

import argparse
import csv
import json

import numpy as np


def table(path):
    with open(path, newline="") as file:
        reader = csv.reader(file)
        next(reader)
        return np.array([[float(value) for value in row] for row in reader])


def fit(args):
    rows = table(args.data)
    inputs = np.column_stack([np.ones(len(rows)), rows[:, :-1]])
    penalty = args.ridge * np.eye(inputs.shape[1])
    penalty[0, 0] = 0
    line = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ rows[:, -1])
    with open(args.model, "w") as file:
        json.dump(line.tolist(), file)


def predict(args):
    with open(args.model) as file:
        line = np.array(json.load(file))
    rows = table(args.data)
    with open(args.out, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prediction"])
        writer.writerows([value] for value in line[0] + rows @ line[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("fit")
    one.add_argument("data")
    one.add_argument("model")
    one.add_argument("--ridge", type=float, default=0.0)
    one.set_defaults(call=fit)
    one = commands.add_parser("predict")
    one.add_argument("model")
    one.add_argument("data")
    one.add_argument("out")
    one.set_defaults(call=predict)
    args = parser.parse_args()
    args.call(args)


if __name__ == "__main__":
    main()
