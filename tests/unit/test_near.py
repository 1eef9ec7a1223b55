"""What the message of an unknown name offers."""

from __future__ import annotations

from asc_bench.names import near


def test_near_names_are_suggested_and_few_are_all_listed() -> None:
    assert near("airprot", ["airport", "bus"]) == "; did you mean 'airport'?"
    assert near("x", ["airport", "bus"]) == "; there are: airport, bus"
    assert near("x", []) == ""


def test_of_many_names_the_first_are_listed_and_the_rest_counted() -> None:
    # A data set has thousands of clips: a message with all of their names hides what was wrong.
    clips = [f"clip-{i}" for i in range(8640)]
    listed = near("x", clips)
    assert listed.startswith("; there are: clip-0, clip-1, ")
    assert listed.endswith(", clip-49, and 8,590 more")
    assert near("x", clips[:50]).endswith(", clip-49")
    assert near("x", clips[:51]).endswith(", clip-49, and 1 more")
    assert near("x", clips, listed=3) == "; there are: clip-0, clip-1, clip-2, and 8,637 more"
