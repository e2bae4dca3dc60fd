"""Train a ridge regression on a CSV file whose last column is the target."""

import argparse
import csv

import joblib
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train-data", required=True)
    parser.add_argument("--model-file", required=True)
    parser.add_argument("--alpha", type=float, default=1.0)
    args = parser.parse_args()

    with open(args.train_data, newline="") as file:
        reader = csv.reader(file)
        header = next(reader)
        rows = np.array([[float(value) for value in row] for row in reader])
    print(f"{len(rows)} rows, target {header[-1]}")

    model = make_pipeline(StandardScaler(), Ridge(alpha=args.alpha))
    model.fit(rows[:, :-1], rows[:, -1])
    joblib.dump(model, args.model_file)


if __name__ == "__main__":
    main()
