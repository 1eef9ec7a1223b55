import hashlib
import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asc_bench.names import slug


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("../../x", "x"),
        ("a/b", "a-b"),
        ("", "unnamed"),
        ("/", "unnamed"),
        ("Größe", "groe"),
        ("SB-CNN", "sb-cnn"),
        ("-rf", "rf"),
        ("a--b", "a-b"),
        ("音響", "unnamed"),
        ("caa-net[pooling=att]", "caa-net-pooling-att"),
        ("y" * 300, "y" * 60),
        ("x-19cba4ee", "x-19cba4ee"),
    ],
)
def test_unsafe_names_become_words_and_the_digest_of_the_name(text: str, words: str) -> None:
    assert slug(text) == f"{words}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@pytest.mark.parametrize("text", ["sb-cnn", "dcase2018", "a", "y" * 60])
def test_a_safe_name_stays_as_it_is(text: str) -> None:
    assert slug(text) == text


@given(st.text())
def test_any_text_becomes_one_short_path_part(text: str) -> None:
    result = slug(text)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", result)
    assert len(result) <= 69
    assert PurePosixPath(result).parts == (result,)


@given(st.text(alphabet="aA-/ .", max_size=5), st.text(alphabet="aA-/ .", max_size=5))
def test_different_names_never_share_a_slug(a: str, b: str) -> None:
    assert (slug(a) == slug(b)) == (a == b)
    assert slug(slug(a)) != slug(a) or slug(a) == a


def test_bytes_from_the_command_line_that_are_no_text_are_no_crash() -> None:
    assert slug("a\udcff").startswith("a-")
