"""The results page in a real browser: what it shows, sorts, filters and compares, and whom it leaves out."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from asc_bench.protocol import Reference
from asc_bench.reporting.evaluation import Evaluation
from asc_bench.scoring.measure import Measure
from tests.browser.conftest import Opened
from tests.unit.figure_frames import history
from tests.unit.page_parts import MATRIX, OTHER, evaluation
from tests.unit.reporting_frames import HOSTILE, confusion, failed, manifest, scores, significance

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

NAMES = ("good", "middling", "poor")


def three(**changes: object) -> Evaluation:
    """Three systems that were compared in pairs, the first and the last of which differ, and one that failed."""
    values = {"good": 0.7, "middling": 0.6, "poor": 0.5}
    macs = {"good": 4_000_000, "middling": 9_000_000, "poor": 1_000_000}
    pairs = [("good", "middling", 0.1, 0.3), ("middling", "poor", 0.1, 0.2), ("good", "poor", 0.2, 0.001)]
    tests = [
        significance(a, b, difference=d, low=d - 0.05, high=d + 0.05, p_bootstrap_holm=p) for a, b, d, p in pairs
    ]
    log_loss = Measure("log loss", average="clips", statistic="log-loss")
    arguments: dict[str, object] = {
        "scores": scores({name: {"average": v, "B": v - 0.1, "log loss": 2 - v} for name, v in values.items()}),
        "significance": pd.concat(tests, ignore_index=True),
        "manifests": [
            *(
                manifest(n, n_multiply_adds=macs[n], needs_device="test" if n == "poor" else "no", system="sb-cnn")
                for n in NAMES
            ),
            failed("broken"),
        ],
        "confusions": {"good": {"A": MATRIX, "B": OTHER}, "poor": {"A": OTHER, "B": OTHER}},
        "published": {"good": {"average": 68.0}},
        "measures": [Measure("average"), Measure("B", strata="device", of=("B",)), log_loss],
        "by_repeat": pd.DataFrame(
            [("good", "average", r, 0.7 + d) for r, d in enumerate((-0.01, 0.01))],
            columns=["system", "measure", "repeat", "value"],
        ),
        "tied": {"good", "middling"},
    }
    return evaluation(**(arguments | changes))


def names(page: Page) -> list[str]:
    return [text.rstrip(" †≈") for text in page.locator("#table tbody th").all_inner_texts()]


def column(page: Page, title: str) -> list[str]:
    titles = [re.sub(r"\s*[↕↑↓]", "", t).strip() for t in page.locator("#table thead th").all_inner_texts()]
    at = titles.index(title)
    return [row.locator("th, td").nth(at).inner_text() for row in page.locator("#table tbody tr").all()]


def test_the_table_shows_scores_groups_and_published_numbers(opened: Opened) -> None:
    page = opened(three())
    assert names(page) == ["good", "middling", "poor", "broken"]
    assert column(page, "average") == ["70.0 [67.9, 71.9]", "60.0 [57.9, 61.9]", "50.0 [47.9, 51.9]", "–"]
    assert column(page, "group") == ["a", "ab", "b", ""]
    assert column(page, "average, published")[0] == "68.0"
    assert column(page, "measured − published")[0] == "+2.0"
    assert page.locator("#table tfoot th").all_inner_texts() == ["humans (published)"]
    assert page.locator("#table tbody .strip").count() == 9
    page.locator("#bars").uncheck()
    assert page.locator("#table tbody .strip").count() == 0


def test_sorting_by_a_click_and_by_the_keyboard(opened: Opened) -> None:
    page = opened(three())
    average = page.locator('#table th[data-key="measure average"]')
    average.locator("button").click()
    assert names(page) == ["good", "middling", "poor", "broken"]
    assert average.get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert names(page) == ["poor", "middling", "good", "broken"], "what has no score stays last"
    assert average.get_attribute("aria-sort") == "ascending"
    page.locator('#table th[data-key="measure log loss"] button').click()
    assert names(page)[0] == "good", "lower is better: the lowest comes first"
    assert page.locator("#table [aria-sort]").count() == 1
    page.locator('#table th[data-key="macs"] button').click()
    assert names(page)[:3] == ["poor", "good", "middling"]
    page.locator('#table th[data-key="system"] button').click()
    assert names(page) == sorted([*NAMES, "broken"])


def test_filters(opened: Opened) -> None:
    page = opened(three())
    page.locator("#filter").fill("ood")
    assert names(page) == ["good"]
    assert page.locator("#shown").inner_text() == "1 of 4 systems"
    page.locator("#filter").fill("")
    page.locator("#show").select_option("unscored")
    assert names(page) == ["broken"]
    page.locator("#show").select_option("tied")
    assert names(page) == ["good", "middling"]
    page.locator("#show").select_option("all")
    page.locator("#device-use").select_option("test")
    assert names(page) == ["poor"]


def test_columns_are_switched_on_and_off(opened: Opened) -> None:
    page = opened(three())
    page.locator("#columns summary").click()
    page.locator("#columns").get_by_label("log loss").uncheck()
    page.locator("#columns").get_by_label("test clips").check()
    heads = page.locator("#table thead").inner_text()
    assert "log loss" not in heads
    assert column(page, "test clips")[:3] == ["2,878"] * 3


def test_differences_to_a_reference_from_either_side(opened: Opened) -> None:
    page = opened(three())
    rows = page.locator("#difference-plot tbody tr")
    assert rows.locator("th").all_inner_texts() == ["middling", "poor"], "the best one is the reference at first"
    page.locator("#results select.reference").select_option("middling")
    assert page.locator("#differences select.reference").input_value() == "middling"
    assert rows.locator("th").all_inner_texts() == ["good", "poor"]
    shown = rows.locator("td.number").all_inner_texts()
    assert shown == ["+10.0 [+5.0, +15.0]", "0.300", "−10.0 [−15.0, −5.0]", "0.200"]
    assert rows.locator("circle.open").count() == 2
    assert column(page, "average − reference") == ["+10.0 [+5.0, +15.0]", "reference", "−10.0 [−15.0, −5.0]", "–"]
    page.locator("#differences select.reference").select_option("good")
    assert rows.locator("circle.open").count() == 1, "0.001 is significant"
    page.locator('#table th[data-key="reference"] button').click()
    assert names(page) == ["poor", "middling", "good", "broken"]


def test_every_test_is_there_when_it_is_asked_for(opened: Opened) -> None:
    page = opened(three())
    assert page.locator("#test-count").inner_text() == "Every test of 3 pairs"
    assert page.locator("#test-table tr").count() == 0
    page.locator("#test-count").click()
    page.locator("#test-table tbody tr").first.wait_for()
    assert page.locator("#test-table tbody tr").count() == 3
    assert "p McNemar" in page.locator("#test-table thead").inner_text()


def test_a_table_of_one_reference_offers_that_one_alone(opened: Opened) -> None:
    tests = three().significance
    page = opened(three(significance=tests[tests["system_b"] == "poor"]))
    assert page.locator("#differences select.reference option").all_inner_texts() == ["poor"]
    assert "group" not in page.locator("#table thead").inner_text()


def test_the_pareto_front(opened: Opened) -> None:
    page = opened(three())
    cells = [row.locator("th, td").all_inner_texts() for row in page.locator("#cost-plot tbody tr").all()]
    assert [(row[1], row[4]) for row in cells] == [("poor", "yes"), ("good", "yes"), ("middling", "")]
    page.locator("#cost-measure").select_option("log loss")
    cells = [row.locator("th, td").all_inner_texts() for row in page.locator("#cost-plot tbody tr").all()]
    assert [(row[1], row[4]) for row in cells] == [("poor", "yes"), ("good", "yes"), ("middling", "")]
    page.locator("#cost").select_option("train_s")
    front = [row.locator("td").last.inner_text() for row in page.locator("#cost-plot tbody tr").all()]
    assert front == ["yes", "", ""], "of equal cost, the best one alone"


def test_points_stand_where_their_numbers_are(opened: Opened) -> None:
    page = opened(three())
    box = page.locator("#cost-plot .scatter").bounding_box()
    assert box is not None
    by_name = {}
    for mark in page.locator("#cost-plot g").all():
        at = mark.locator("circle.value").bounding_box()
        assert at is not None
        by_name[mark.locator("title").text_content().split(":")[0]] = (at["x"], at["y"])  # type: ignore[union-attr]
    step = math.log(9 / 4) / math.log(9 / 1)
    x = {name: place[0] for name, place in by_name.items()}
    assert (x["middling"] - x["good"]) / (x["middling"] - x["poor"]) == pytest.approx(step, abs=0.01), "a log axis"
    y = {name: place[1] for name, place in by_name.items()}
    assert y["poor"] - y["middling"] == pytest.approx(y["middling"] - y["good"], abs=1.5)


def test_seeds_and_published_values_are_marked(opened: Opened) -> None:
    page = opened(three())
    assert page.locator("#score-panels circle.seed").count() == 2
    assert page.locator("#score-panels path.printed").count() == 1
    page.locator("#score-choice").select_option("by device")
    assert page.locator("#score-panels caption").all_inner_texts() == ["B (%)"]
    assert page.locator("#score-panels tbody td.number").first.inner_text() == "60.0 [57.9, 61.9]"


def test_classes_and_confusions_by_device(opened: Opened) -> None:
    page = opened(three())
    assert page.locator("#class-table tbody tr").first.locator("td").all_inner_texts() == ["62.5", "50.0"]
    page.locator("#class-choice").select_option(label="recall (%), A")
    assert page.locator("#class-table tbody tr").first.locator("td").all_inner_texts() == ["75.0", "50.0"]
    assert page.locator("#confusion .matrix td").all_inner_texts() == ["5", "3", "1", "7"]
    page.locator("#confusion-device").select_option("B")
    assert page.locator("#confusion .matrix td").all_inner_texts() == ["2", "2", "1", "3"]
    assert page.locator("#confusion table").last.locator("tbody td").all_inner_texts()[:4] == [
        "bus",
        "tram",
        "2",
        "4",
    ]
    page.locator("#confusion-system").select_option("poor")
    assert page.locator("#confusion-device").input_value() == "B"


def test_a_matrix_of_many_classes_is_a_drawing(opened: Opened) -> None:
    labels = tuple(f"class {i}" for i in range(50))
    counts = [[4 if i == j else int(i == j + 1) for j in range(50)] for i in range(50)]
    page = opened(three(confusions={"good": {"": confusion(labels, counts)}}))
    assert page.locator("#confusion .large-matrix rect").count() == 1 + 50 + 49
    assert page.locator("#confusion .large-matrix rect title").first.text_content() == (
        "true class 0, predicted class 0: 4 of 4 clips"
    )


def test_failures_cards_and_runs(opened: Opened) -> None:
    page = opened(three())
    page.locator("#failure-list summary").click()
    assert 'File "net.py", line 7' in page.locator("#failure-list pre").inner_text()
    page.locator("#cards summary").first.click()
    assert "Salamon" in page.locator("#cards details").first.inner_text()
    page.locator("#run-count").click()
    page.locator("#run-table tbody tr").first.wait_for()
    assert page.locator("#run-table tbody tr").count() == 4


def test_a_download_holds_the_file(opened: Opened) -> None:
    made = three()
    page = opened(made)
    with page.expect_download() as started:
        page.locator('#file-list a[download="results.csv"]').click()
    assert started.value.path().read_text(encoding="utf-8") == made.tidy().to_csv(index=False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400, 2000])
def test_nothing_is_wider_than_the_window(opened: Opened, width: int, scheme: str) -> None:
    page = opened(three(), width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_colours_follow_the_system_and_the_switch(opened: Opened) -> None:
    page = opened(three(), scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.locator("#theme").select_option("light")
    assert page.evaluate(paper) == "rgb(255, 255, 255)" != dark
    page.reload()
    assert page.evaluate(paper) == "rgb(255, 255, 255)", "the choice is kept"
    page.locator("#theme").select_option("")
    assert page.evaluate(paper) == dark
    page.emulate_media(media="print")
    assert page.evaluate(paper) == "rgb(255, 255, 255)", "paper is white"
    assert not page.locator("#filter").is_visible()


def test_what_is_folded_is_printed(opened: Opened) -> None:
    page = opened(three())
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#run-table tbody tr").count() == 4
    assert page.locator("#failure-list pre").is_visible()
    assert not page.locator("#test-table tbody tr").count(), "every test of every pair would be pages"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.locator("#failure-list pre").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_no_finding_of_axe(opened: Opened, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(three(), width=width, scheme=scheme)
    page.locator("#results select.reference").select_option("middling")
    for details in page.locator("details").all():
        details.evaluate("(element) => { element.open = true; }")
    found = Axe().run(page).response["violations"]
    assert [(v["id"], v["impact"], v["nodes"][0]["html"][:200]) for v in found] == []


def test_hostile_strings_run_nothing(opened: Opened) -> None:
    bad = f"<img src=x onerror=alert(1)>{HOSTILE}"
    page = opened(
        evaluation(
            scores=scores({bad: {"average": 0.5, HOSTILE: 0.4}}),
            significance=significance(bad, HOSTILE).iloc[:0],
            manifests=[manifest(bad, versions={HOSTILE: HOSTILE}), failed(HOSTILE, bad)],
            confusions={bad: {"": confusion((HOSTILE, bad), [[3, 1], [0, 4]])}},
            references=[Reference(bad, {"average": 9.0}, bad)],
            measures=[Measure("average"), Measure(HOSTILE)],
            published={},
            tied=set(),
            by_repeat=pd.DataFrame(),
        )
    )
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    assert names(page)[0].startswith("<img src=x onerror=alert(1)>")


def test_a_page_of_failures_alone(opened: Opened) -> None:
    page = opened(
        evaluation(
            scores=scores({}),
            significance=significance().iloc[:0],
            manifests=[failed("broken")],
            confusions={},
            by_repeat=pd.DataFrame(),
            tied=set(),
            references=[],
            published={},
        )
    )
    assert names(page) == ["broken"]
    for section in ("differences", "scores", "costs", "classes", "confusions", "curves", "published"):
        assert not page.locator(f"#{section}").is_visible()


def test_it_opens_within_a_second(opened: Opened) -> None:
    from tests.unit.test_page import twenty_systems

    page = opened(twenty_systems())
    took = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert page.locator("#table tbody tr").count() == 20
    assert took < 1000, f"{took} ms"


def test_learning_curves_of_the_system_and_the_training_that_are_chosen(opened: Opened) -> None:
    runs = [
        *(manifest("good", repeat=r, key=f"good-{r}", system="sb-cnn") for r in (0, 1)),
        *(manifest(n, system="sb-cnn") for n in NAMES[1:]),
    ]
    stages = pd.concat([history(6, validated=2), history(4, part="device-b")])
    read = {
        "good-0": lambda: history(6, validated=2),
        "good-1": lambda: history(6, validated=2, loss=3.0),
        "key-poor": lambda: stages,
    }
    page = opened(three(manifests=runs, histories=read), width=400)
    plot = page.locator("#curves-plot")
    assert page.locator("#curve-system option").all_inner_texts() == ["good", "poor"]
    assert not page.locator("#curve-part").is_visible()
    assert plot.locator("path.curve.thin").count() == 6, "losses and accuracies of two runs"
    assert plot.locator(".curves path.curve.thick:not([d=''])").count() == 3, "their means"
    assert plot.locator("path title").first.text_content() == "fold1, repeat 0, training"
    assert plot.get_by_text("Without a history: middling.").is_visible()
    plot.locator("summary").click()
    cells = plot.locator("tbody tr").nth(1).locator("th, td").all_inner_texts()
    assert cells == ["fold1, repeat 1", "6", "18", "1.10", "1.35", "1.35", "50.0", "50.0"]
    page.locator("#curve-system").select_option("poor")
    assert plot.locator("svg.curves").count() == 2 and plot.locator("path.curve.thin").count() == 0
    page.locator("#curve-part").select_option("device-b")
    assert plot.locator("svg.curves").count() == 1
    assert plot.get_by_text("No accuracy on validation clips was noted in training.").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
