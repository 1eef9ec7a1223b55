"""Constant probabilities, after a pause."""

from __future__ import annotations

import time

import numpy as np
from benchopt import BaseSolver


class Solver(BaseSolver):
    name = "constant"
    sampling_strategy = "run_once"
    parameters = {"pause_s": [0.0]}  # noqa: RUF012

    def set_objective(self, y_train, n_test, n_classes):
        self.shape = n_test, n_classes

    def run(self, _):
        time.sleep(self.pause_s)
        self.probabilities = np.full(self.shape, 1 / self.shape[1])

    def get_result(self):
        return {"probabilities": self.probabilities}

    def warm_up(self):
        pass
