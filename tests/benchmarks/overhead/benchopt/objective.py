"""What ``bench_overhead`` has benchopt do: the error of constant probabilities, on folds of labels."""

from __future__ import annotations

import numpy as np
from benchopt import BaseObjective


class Objective(BaseObjective):
    name = "Error"
    min_benchopt_version = "1.6"

    def set_data(self, y, train, test):
        self.y, self.train, self.test = y, train, test

    def get_objective(self):
        return {"y_train": self.y[self.train], "n_test": len(self.test), "n_classes": int(self.y.max()) + 1}

    def evaluate_result(self, probabilities):
        return float(np.mean(probabilities.argmax(axis=1) != self.y[self.test]))

    def get_one_result(self):
        return {"probabilities": np.full((len(self.test), 10), 0.1)}
