"""The results page: the numbers of the report's files, nothing from outside, and foreign strings as strings."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import re
from typing import Any

import pandas as pd
import pytest

from asc_bench.protocol import Reference
from asc_bench.reporting.class_scores import classes_table
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.page import html_page
from asc_bench.reporting.page.content import LARGEST_FILE
from asc_bench.reporting.page.render import script_safe
from asc_bench.reporting.report import text_files
from asc_bench.scoring.classes import CLASS_COLUMNS
from asc_bench.scoring.measure import Measure
from tests.unit.page_parts import CAA, Page, evaluation, rows_by
from tests.unit.reporting_frames import HOSTILE, confusion, failed, manifest, scores, significance


def page_and_files(made: Evaluation) -> tuple[Page, dict[str, str]]:
    files = {name: text for name, text in text_files(made).items() if text}
    return Page(html_page(made, files=files)), files


def read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text))


def same(shown: float | None, written: float) -> bool:
    return shown is None if math.isnan(written) else shown == written


def test_scores_are_those_of_the_file_of_results() -> None:
    page, files = page_and_files(evaluation())
    data = page.data
    written = rows_by(read(files["results.csv"]), "system", "measure")
    tables = files["results.md"]
    assert {(s["name"], m["name"]) for s in data["systems"] for m in data["measures"]} == set(written)
    for system in data["systems"]:
        for measure in data["measures"]:
            row = written[system["name"], measure["name"]]
            score = system["scores"].get(measure["name"])
            assert (score is None) == math.isnan(row["value"])
            if score is not None:
                assert all(same(score[name], row[name]) for name in ("value", "low", "high", "n", "n_locations"))
                assert same((score.get("published") or {"value": None})["value"], row["published"])
                assert f" {score['text']} " in tables.replace("**", " ")
            assert (measure["unit"], measure["higher"]) == (row["unit"], row["higher_is_better"])
        for name in ("n_parameters", "macs", "train_s"):
            assert same(system["costs"][name]["value"], row[name])
        assert system["letters"] == ("" if pd.isna(row["value"]) else written[system["name"], "average"]["letters"])


def test_pairs_classes_counts_and_seeds_are_those_of_their_files() -> None:
    page, files = page_and_files(evaluation())
    data = page.data
    pairs = rows_by(read(files["significance.csv"]), "system_a", "system_b")
    assert len(data["pairs"]) == len(pairs)
    for pair in data["pairs"]:
        row = pairs[pair["a"], pair["b"]]
        assert (pair["difference"], pair["low"], pair["high"]) == (row["difference"], row["low"], row["high"])
        assert (pair["p"], pair["measure"]) == (row["p_bootstrap_holm"], row["measure"])
        assert (pair["text"], pair["reverse"]) == ("+3.0 [−1.0, +7.0]", "−3.0 [−7.0, +1.0]")
    recalls = read(files["classes.csv"]).fillna({"device": "all clips"})
    shown = [
        (name, view["title"].removeprefix("recall (%), "), label, value)
        for view in data["classes"]
        for name, values in view["values"].items()
        for label, (value, _) in values.items()
    ]
    assert sorted(shown) == sorted(
        recalls[["system", "device", "label", "recall"]].itertuples(index=False, name=None)
    )
    counts = read(files["confusions.csv"]).fillna({"device": "all clips"})
    cells = [
        (name, m["device"], m["labels"][i], m["labels"][j], n)
        for name, matrices in data["confusions"].items()
        for m in matrices
        for i, j, n in m["cells"]
    ]
    assert sorted(cells) == sorted(counts.itertuples(index=False, name=None))
    seeds = read(files["seeds.csv"])
    points = [
        (system["name"], measure, repeat, value)
        for system in data["systems"]
        for measure, values in system["seeds"].items()
        for repeat, value, _ in values
    ]
    assert sorted(points) == sorted(seeds.itertuples(index=False, name=None))


def test_clips_with_several_labels_get_the_same_page() -> None:
    rows = [
        (CAA, "detection", "bus", 30, 0.9, 0.25, 0.5, 1 / 6, 0.1, 0.2),
        (CAA, "tagging", "bus", 10, math.nan, math.nan, 1.0, 0.0, 0.1, 0.2),
    ]
    frame = pd.DataFrame(rows, columns=list(CLASS_COLUMNS))
    measures = [Measure("F", level="detection", statistic="detection-f-score", average="clips", clusters="any")]
    made = evaluation(
        scores=scores({CAA: {"F": 0.4}, "sb-cnn": {"F": 0.3}}),
        significance=significance(CAA, measure="F"),
        measures=measures,
        compared=measures,
        confusions={},
        published={},
        by_repeat=pd.DataFrame(),
        further={"classes": (classes_table(frame, title="by class"), frame)},
    )
    page, files = page_and_files(made)
    written = rows_by(read(files["classes.csv"]), "system", "level", "label")
    views = {view["title"]: view for view in page.data["classes"]}
    assert len(views) == 7
    assert views["detection: error rate"]["higher"] is False
    assert views["detection: error rate"]["values"][CAA]["bus"] == [0.9, "0.90"]
    assert views["detection: recall (%)"]["values"][CAA]["bus"] == [
        written[CAA, "detection", "bus"]["recall"],
        "16.7",
    ]
    assert views["tagging: F1 (%)"]["values"][CAA]["bus"] == [None, "–"]
    assert page.data["confusions"] == {}


def test_every_test_of_every_pair_stands_as_it_is_printed() -> None:
    made = evaluation()
    shown, table = Page(html_page(made, files={})).data["tests"], made.tests()
    assert (shown["columns"], shown["n"]) == (list(table.columns), 1)
    (row,) = shown["rows"]
    found = dict(zip(shown["columns"], row, strict=True))
    assert (found["p McNemar"], found["z as published"], found["p stratified"]) == ("< 0.001", "2.41", "0.107")
    assert any(note.startswith("McNemar") for note in shown["notes"])


def test_downloads_are_the_files_themselves() -> None:
    page, files = page_and_files(evaluation())
    assert page.data["files"] == files
    assert {"results.csv", "results.md", "results.tex", "references.bib"} <= set(files)
    assert files["references.bib"].startswith("@misc{caa-net,")


def test_a_large_file_is_named_and_left_out() -> None:
    files = {"runs.csv": "x" * (LARGEST_FILE + 1), "results.csv": "y"}
    assert Page(html_page(evaluation(), files=files)).data["files"] == {"runs.csv": None, "results.csv": "y"}


def test_failures_with_their_tracebacks_and_incomplete_systems() -> None:
    frame = scores({CAA: {"average": 0.5}, "sb-cnn": {"average": math.nan}})
    made = evaluation(scores=frame, measures=[Measure("average")], by_repeat=pd.DataFrame(), confusions={})
    shown, lacking = Page(html_page(made, files={})).data["failures"]
    assert shown["traceback"].startswith('File "net.py", line 7')
    assert (shown["status"], shown["runs"]) == ("failed", ["broken, fold1, repeat 0"])
    assert (lacking["status"], lacking["runs"]) == ("incomplete", ["sb-cnn"])
    assert lacking["error"] == "fold1, B: 170 of 180 test clips"


def test_equal_failures_stand_together() -> None:
    runs = [
        manifest(CAA),
        *(failed("broken", fold=f"fold{i}") for i in (1, 2)),
        failed("broken", "other", fold="fold3"),
    ]
    found = Page(html_page(evaluation(manifests=[*runs, manifest("sb-cnn")]), files={})).data["failures"]
    assert [len(entry["runs"]) for entry in found] == [2, 1]


def test_the_page_says_where_its_numbers_come_from() -> None:
    gpu = {"host": {"gpu": "NVIDIA H200", "processor": "a processor", "system": "Linux"}}
    origin = Page(html_page(evaluation(manifests=[manifest(CAA, **gpu), manifest("sb-cnn")]), files={}))
    facts = dict(origin.data["origin"]["facts"])
    assert facts["GPU"] == "NVIDIA H200"
    assert facts["version of torch"] == "2.9.0"
    run, again = origin.data["origin"]["commands"]
    assert run == f"asc-bench run -p dcase2018 -s '{CAA},sb-cnn' --budget paper"
    assert again == f"asc-bench report -p dcase2018 -s '{CAA},sb-cnn' --budget paper"
    assert run in origin.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"selection": "held-out"}, ["--hold-out"]),
        ({"selection": "test"}, ["--as-published"]),
        ({"augmentation": "4"}, ["--augment", "4"]),
        ({"unofficial_split": True}, ["--unofficial-split"]),
        ({"protocol": "merged", "sources": ["esc-50", "dares-g1"]}, ["--sources", "esc-50,dares-g1"]),
        ({"expected": {"fold1": {"": 9}, "fold2": {"": 9}}}, ["--folds", "fold1"]),
    ],
)
def test_commands_say_what_is_not_the_usual(changes: dict[str, Any], words: list[str]) -> None:
    made = evaluation(manifests=[manifest(s, **changes) for s in (CAA, "sb-cnn")])
    assert " ".join(words) in Page(html_page(made, files={})).data["origin"]["commands"][0]


def test_of_transfers_the_tables_alone_are_made_again() -> None:
    made = evaluation(manifests=[manifest(CAA, system="transfer"), manifest("sb-cnn")])
    (command,) = Page(html_page(made, files={})).data["origin"]["commands"]
    assert command.startswith("asc-bench report ")


def test_a_protocol_of_ones_own_has_no_command() -> None:
    made = evaluation(manifests=[manifest(s, protocol="my-corpus") for s in (CAA, "sb-cnn")])
    assert Page(html_page(made, files={})).data["origin"]["commands"] == []


def test_the_page_needs_nothing_from_outside_and_runs_nothing_but_its_own() -> None:
    text = html_page(evaluation(), files={"results.csv": "a,b\n"})
    page = Page(text)
    assert not page.open
    assert not {"link", "iframe", "object", "embed", "form", "img", "base", "audio", "video"} & page.tags
    for tag, attributes in page.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "srcset", "style", "data")
        ]
        assert attributes.get("href", "#").startswith("#"), (tag, attributes)
    # The only address is a name that no browser fetches: that of SVG.
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "url(" not in page.styles[0]
    assert "@import" not in page.styles[0]
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    for kind, content in (("style", page.styles[0]), ("script", page.scripts[1])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_every_control_has_a_label_and_every_section_a_title() -> None:
    page = Page(html_page(evaluation(), files={}))
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        if tag == "section":
            assert attributes["aria-labelledby"] in ids
        if attributes.get("role") == "region":
            assert attributes["tabindex"] == "0", "the keyboard scrolls only what has the focus"
            assert attributes["aria-label"]
    asked = set(re.findall(r'byId\("([a-z-]+)"\)', page.scripts[1])) | set(
        re.findall(r'reveal\("([a-z-]+)"', page.scripts[1])
    )
    assert asked <= set(ids)


def test_hostile_strings_stay_strings() -> None:
    name = "../../x" + HOSTILE
    made = evaluation(
        scores=scores({name: {"average": 0.5, HOSTILE: 0.4}}),
        significance=significance(name, HOSTILE),
        manifests=[
            manifest(name, device=HOSTILE, versions={HOSTILE: HOSTILE}, params={HOSTILE: HOSTILE}),
            failed(HOSTILE, HOSTILE),
        ],
        confusions={name: {HOSTILE: confusion((HOSTILE, "</script><!--"), [[3, 1], [0, 4]])}},
        published={},
        references=[Reference(HOSTILE, {"average": 9.0}, HOSTILE)],
        measures=[Measure("average"), Measure(HOSTILE)],
        tied=set(),
        notes=[HOSTILE],
        tracebacks={f"key-{HOSTILE}": HOSTILE + "]]></script>"},
        by_repeat=pd.DataFrame(),
    )
    text = html_page(made, files={"results.md": HOSTILE})
    page = Page(text)
    clean = Page(html_page(evaluation(), files={}))
    assert not page.open
    assert page.tags <= clean.tags
    assert [t for t, _ in page.elements].count("script") == 2
    assert page.scripts[1] == clean.scripts[1]
    assert page.data["failures"][0]["traceback"] == HOSTILE + "]]></script>"
    assert "<script src=http://evil.example/x.js></script>" in page.text
    assert "<" not in page.scripts[0]


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "\u2028", "&lt;", "]]>"])
def test_json_in_a_script_element_ends_nothing(text: str) -> None:
    safe = script_safe({text: [text]})
    assert json.loads(safe) == {text: [text]}
    assert not re.search("[<>&\u2028\u2029]", safe)


def test_a_number_that_json_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_safe({"x": math.nan})


def test_synthetic_results_show_nothing_published() -> None:
    change: dict[str, Any] = {"synthetic": True, "synthetic_size": "small", "budget": "smoke"}
    made = evaluation(manifests=[manifest(s, **change) for s in (CAA, "sb-cnn")])
    page = Page(html_page(made, files={}))
    assert page.data["references"] == []
    assert not [s for s in page.data["systems"] for score in s["scores"].values() if "published" in score]
    assert "95.7" not in page.text
    assert "synthetic" in page.text
    assert page.data["origin"]["commands"][0].endswith("--budget smoke --synthetic --synthetic-size small")


def test_a_page_of_failures_alone_is_a_page() -> None:
    made = evaluation(
        scores=scores({}),
        significance=significance().iloc[:0],
        manifests=[failed("broken")],
        confusions={},
        by_repeat=pd.DataFrame(),
        tied=set(),
    )
    data = Page(html_page(made, files={})).data
    assert [(s["name"], s["scored"], s["scores"]) for s in data["systems"]] == [("broken", False, {})]


def test_a_system_that_is_not_installed_has_no_card() -> None:
    made = evaluation(manifests=[manifest(CAA), manifest("sb-cnn"), failed("broken")])
    cards = {s["name"]: s["card"] for s in Page(html_page(made, files={})).data["systems"]}
    assert cards["broken"] is None
    assert cards["sb-cnn"]["year"] == 2017


def twenty_systems() -> Evaluation:
    """20 systems in five folds, ten classes, three devices, all pairs."""
    names = [f"system-{i:02d}[layers=4,rate=0.001]" for i in range(20)]
    values = {name: {"average": 0.7 - 0.01 * i, "B": 0.6} for i, name in enumerate(names)}
    pairs = [significance(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    labels = tuple(f"class_{i}" for i in range(10))
    matrix = confusion(labels, [[5 + i + j for j in range(10)] for i in range(10)])
    return evaluation(
        scores=scores(values),
        significance=pd.concat(pairs, ignore_index=True),
        manifests=[manifest(name, fold=f"fold{k}", key=f"{name}{k}") for name in names for k in range(1, 6)],
        confusions={name: dict.fromkeys("ABC", matrix) for name in names},
        published={},
        by_repeat=pd.DataFrame(),
    )


def test_twenty_systems_in_five_folds_are_two_megabytes_at_most() -> None:
    made = twenty_systems()
    text = html_page(made, files={name: text for name, text in text_files(made).items() if text})
    data = Page(text).data
    assert (len(data["systems"]), len(data["pairs"]), len(data["runs"]["rows"])) == (20, 190, 100)
    left_out = {name for name, text in data["files"].items() if text is None}
    assert left_out <= {"confusions.csv"}, "whose counts the page holds anyway"
    assert len(text.encode()) <= 2_000_000
