"""The labels of ESC-10, one fold of five."""

from __future__ import annotations

import numpy as np
from benchopt import BaseDataset


class Dataset(BaseDataset):
    name = "labels"
    parameters = {"fold": [0, 1, 2, 3, 4]}  # noqa: RUF012

    def get_data(self):
        fold = np.arange(400) % 5
        return {
            "y": np.arange(400) // 40,
            "train": np.flatnonzero(fold != self.fold),
            "test": np.flatnonzero(fold == self.fold),
        }
