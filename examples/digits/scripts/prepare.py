"""Write the handwritten digits that ship with scikit-learn as two CSV files: every third row tests."""

import sys

import numpy as np
from sklearn.datasets import load_digits

train_path, test_path = sys.argv[1:]
digits = load_digits()
rows = np.column_stack([digits.target, digits.data]).astype(int)
is_test = np.arange(len(rows)) % 3 == 0
np.savetxt(train_path, rows[~is_test], fmt="%d", delimiter=",")
np.savetxt(test_path, rows[is_test], fmt="%d", delimiter=",")
print(f"{(~is_test).sum()} rows to train on, {is_test.sum()} to test on")
