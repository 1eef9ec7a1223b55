"""Seeds depend on named parts alone."""

from __future__ import annotations

import hashlib

from asc_bench.bench.seeds import derive_seed


def test_hand_worked() -> None:
    digest = hashlib.sha256(b'{"fold":"fold1","repeat":0}').hexdigest()
    assert derive_seed(repeat=0, fold="fold1") == int(digest[:8], 16)


def test_every_part_matters_and_order_does_not() -> None:
    seeds = {derive_seed(system=s, fold=f, repeat=r) for s in "ab" for f in "xy" for r in range(3)}
    assert len(seeds) == 12
    assert derive_seed(a=1, b=2) == derive_seed(b=2, a=1)
