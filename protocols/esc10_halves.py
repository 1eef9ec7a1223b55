"""Two halves of ESC-10 without a common class, for transfer from one to the other."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from asc_bench.api import Dataset, LabelSpace, esc50

from .esc import Esc10


class Esc10A(Esc10):
    """The first, third, fifth, seventh and ninth class of ESC-10."""

    name = "esc10-a"
    title = "ESC-10, half A of the classes, five official folds"
    labels = LabelSpace.from_map({name: esc50.GROUP_OF_CLASS[name] for name in esc50.ESC10_CLASSES[::2]})
    references = ()
    notes = (
        f"Five classes of ESC-10, every other one in its order: {', '.join(esc50.ESC10_CLASSES[::2])}. Folds and "
        f"validation as in esc10. {Esc10.notes}"
    )

    def clips(self, dataset: Dataset) -> pd.DataFrame:
        """See ``Protocol.clips``; the classes of the other half are left out."""
        ours = dataset.clips[dataset.clips["scene"].isin(self.labels.fine)].reset_index(drop=True)
        return super().clips(replace(dataset, clips=ours))


class Esc10B(Esc10A):
    """The other five classes."""

    name = "esc10-b"
    title = "ESC-10, half B of the classes, five official folds"
    labels = LabelSpace.from_map({name: esc50.GROUP_OF_CLASS[name] for name in esc50.ESC10_CLASSES[1::2]})
    notes = (
        f"Five classes of ESC-10, every other one in its order: {', '.join(esc50.ESC10_CLASSES[1::2])}. Folds and "
        f"validation as in esc10. {Esc10.notes}"
    )
