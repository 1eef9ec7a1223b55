"""``name[param=value]``: reading, canonical writing, and what is refused."""

from __future__ import annotations

import pytest

from asc_bench.errors import ConfigError
from asc_bench.registry import systems
from asc_bench.runs.variant import parse_variants


def test_all_is_every_available_system_once() -> None:
    """Every system but those that cannot do without a name of something, and those that nobody trains unasked."""
    left_out = (
        "beats", "clap-zero-shot", "dcase2020-baseline", "device-specific", "distilled", "embedding-linear",
        "embedding-svm", "fusion", "passt", "transfer",
    )  # fmt: skip
    names = [name for name in systems().names() if name not in left_out]
    assert [v.name for v in parse_variants("all")] == names
    assert [v.name for v in parse_variants("all,sb-cnn")] == names


@pytest.mark.parametrize("text", ["pas*", "beats*,transf*"])
def test_globs_that_match_only_what_must_be_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"matches no system but (passt|beats, transfer), which must be named"):
        parse_variants(text)


def test_a_default_value_is_the_same_variant() -> None:
    assert [str(v) for v in parse_variants("sb-cnn[bn=false],sb-cnn")] == ["sb-cnn"]


def test_settings_are_read_by_type_and_written_canonically() -> None:
    (variant,) = parse_variants("sb-cnn[ bn = True ]")
    assert variant.params.bn is True
    assert str(variant) == "sb-cnn[bn=true]"
    assert parse_variants(str(variant)) == [variant]


def test_commas_inside_brackets_do_not_separate() -> None:
    names = [str(v) for v in parse_variants("logmel-svm[C=1.0,n_mels=64],sb-cnn")]
    assert names == ["logmel-svm[n_mels=64,C=1.0]", "sb-cnn"]


def test_globs() -> None:
    assert [v.name for v in parse_variants("s*-cnn")] == ["sample-cnn", "sb-cnn"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sb-cnm", "did you mean 'sb-cnn'"),
        ("sb-cnn[bm=true]", "has no parameter 'bm'; did you mean 'bn'"),
        ("sb-cnn[bn=yes]", "bn is 'yes', but must be true or false"),
        ("sb-cnn[bn]", "not of the form parameter=value"),
        ("sb-cnn[bn=true,bn=true]", "given twice"),
        ("sb-cnn[bn=true", "lacks a closing bracket"),
        ("sb-cnn]", "closing bracket too many"),
        ("logmel-svm[C=much]", "C is 'much', which is not a number"),
        ("caa-net[pooling=average]", "must be one of .*att"),
        ("", "no system is named"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_variants(text)


def test_star_and_bar_stand_for_choices() -> None:
    names = [str(v) for v in parse_variants("caa-net[training=*]")]
    assert names == [
        "caa-net[training=single-device]",
        "caa-net",
        "caa-net[training=teacher-forcing]",
        "caa-net[training=multi-task]",
    ]
    assert [str(v) for v in parse_variants("caa-net[pooling=max | avg]")] == [
        "caa-net[pooling=max]",
        "caa-net[pooling=avg]",
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cp-mobile[width=8|16]", ["cp-mobile[width=8]", "cp-mobile[width=16]"]),
        ("sb-cnn[bn=true|false]", ["sb-cnn[bn=true]", "sb-cnn"]),
        ("sb-cnn[plan.epochs=5|6]", ["sb-cnn[plan.epochs=5]", "sb-cnn[plan.epochs=6]"]),
        ("fusion[members=sb-cnn+mla|sb-cnn+nac]", ["fusion[members=mla+sb-cnn]", "fusion[members=nac+sb-cnn]"]),
        (
            "vggish-svm[weights=a.pt|b.pt]",
            ["vggish-svm[weights=a.pt]", "vggish-svm[weights=b.pt]"],
        ),
    ],
)
def test_a_bar_stands_for_choices_of_any_setting(text: str, names: list[str]) -> None:
    assert [str(v) for v in parse_variants(text)] == names


def test_grid_leaves_out_what_the_system_refuses_unless_all_is() -> None:
    assert len(parse_variants("caa-net[topology=*,pooling=*]")) == 14
    assert len(parse_variants("caa-net[topology=*,pooling=*,training=*,condition_layer=*]")) == 14 * (1 + 1 + 4 + 4)
    with pytest.raises(ConfigError, match="does not go with topology cnn-pool"):
        parse_variants("caa-net[topology=cnn-pool,pooling=roi|roi+att]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("caa-net[weights=*]", "weights has no list of choices that \\* could stand for"),
        ("cp-mobile[width=8|x]", "width is 'x', which is not a whole number"),
        ("caa-net[pooling=max|avrg]", "pooling is 'avrg', but must be one of"),
    ],
)
def test_wrong_grids(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_variants(text)
