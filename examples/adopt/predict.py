"""Predict the rows of a CSV file with a model of train.py."""

import argparse
import csv

import joblib
import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-file", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    with open(args.data, newline="") as file:
        reader = csv.reader(file)
        next(reader)
        rows = np.array([[float(value) for value in row] for row in reader])
    with open(args.out, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prediction"])
        writer.writerows([value] for value in joblib.load(args.model_file).predict(rows))


if __name__ == "__main__":
    main()
