"""Layouts on disk, one file each: the official ones, and those of data sets that are computed from them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from asc_bench.data.layouts.base import Layout, OfficialLayout
from asc_bench.data.layouts.cochlscene import COCHLSCENE
from asc_bench.data.layouts.dares_g1 import DARES_G1
from asc_bench.data.layouts.dcase2017_task4 import DCASE_2017_TASK_4
from asc_bench.data.layouts.esc10 import ESC_10
from asc_bench.data.layouts.esc10_devices import ESC_10_DEVICES
from asc_bench.data.layouts.esc50 import ESC_50
from asc_bench.data.layouts.folder import FolderLayout
from asc_bench.data.layouts.greatest_hits import GREATEST_HITS
from asc_bench.data.layouts.litis_rouen import LITIS_ROUEN
from asc_bench.data.layouts.openset import TAU_2019_OPENSET
from asc_bench.data.layouts.tau_mobile import TAU_2020_MOBILE, TAU_2022_MOBILE
from asc_bench.data.layouts.tut_2017 import TUT_2016_DEVELOPMENT, TUT_2017_DEVELOPMENT, TUT_2017_EVALUATION
from asc_bench.data.layouts.tut_mobile import TAU_2019_MOBILE, TUT_2018_MOBILE
from asc_bench.data.layouts.urban import TAU_2019, TAU_2020_3CLASS, TUT_2018

LAYOUTS: Mapping[str, OfficialLayout] = MappingProxyType(
    {
        layout.name: layout
        for layout in (
            TUT_2018_MOBILE,
            TAU_2019_MOBILE,
            TAU_2020_MOBILE,
            TAU_2022_MOBILE,
            TUT_2018,
            TAU_2019,
            TAU_2019_OPENSET,
            TAU_2020_3CLASS,
            COCHLSCENE,
            ESC_50,
            ESC_10,
            ESC_10_DEVICES,
            LITIS_ROUEN,
            TUT_2016_DEVELOPMENT,
            TUT_2017_DEVELOPMENT,
            TUT_2017_EVALUATION,
            DARES_G1,
            DCASE_2017_TASK_4,
            GREATEST_HITS,
        )
    }
)
"""Every built-in layout by its name."""

__all__ = ["LAYOUTS", "FolderLayout", "Layout", "OfficialLayout"]
