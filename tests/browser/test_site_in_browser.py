"""The leaderboard in a real browser: it asks for nothing, all can reach it, and tables are sorted and filtered."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asc_bench.site.build import build_site
from tests.unit.test_site import computed_once, home, site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

__all__ = ["computed_once", "home", "site"]

Visit = Callable[..., "Page"]
PAGES = ("index.html", "systems/logmel-svm.html", "systems/doe.html")


@pytest.fixture
def visit(browser: Browser, site: Path) -> Iterator[Visit]:
    """Open a page of the site from disk; at the end, nothing but pages was requested and no error was logged."""
    faults: list[str] = []
    opened: list[Page] = []

    def requested(url: str, *, navigation: bool) -> None:
        if not (navigation and url.startswith(site.as_uri())):
            faults.append(url)

    def visit_page(name: str, *, width: int = 1400, scheme: str = "light") -> Page:
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on(
            "request", lambda request: faults.append(request.url) if not request.is_navigation_request() else None
        )
        page.goto((site / name).as_uri())
        opened.append(page)
        return page

    yield visit_page
    for page in opened:
        page.close()
    assert not faults


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400, 2000])
@pytest.mark.parametrize("name", PAGES)
def test_no_finding_of_axe_and_nothing_wider_than_the_window(
    visit: Visit, name: str, width: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit(name, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert [(v["id"], v["impact"], v["nodes"][0]["html"][:200]) for v in found] == []


def names(page: Page) -> list[str]:
    return page.locator("#across tbody tr:visible th").all_inner_texts()


def test_systems_are_sorted_and_filtered_by_the_keyboard(visit: Visit) -> None:
    page = visit("index.html")
    column = page.locator("#across thead th").nth(1)
    column.locator("button").focus()
    page.keyboard.press("Enter")
    assert column.get_attribute("aria-sort") == "descending", "higher is better: the highest comes first"
    assert names(page) == ["sb-cnn", "logmel-svm (alice)", "doe", "logmel-svm (bob)", "raw-cnn"]
    page.keyboard.press("Enter")
    assert names(page) == ["logmel-svm (bob)", "doe", "logmel-svm (alice)", "sb-cnn", "raw-cnn"]
    page.locator("#filter").fill("svm bob")
    assert names(page) == ["logmel-svm (bob)"]
    assert page.locator("#across [role=status]").inner_text() == "1 of 5 rows"


def test_one_page_leads_to_the_next_and_keeps_the_colours(visit: Visit) -> None:
    page = visit("index.html", scheme="light")
    page.locator("#theme").select_option("dark")
    page.locator("#across tbody").get_by_role("link", name="sb-cnn").click()
    assert page.locator("h1").inner_text() == "SB-CNN"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.locator("#results tbody a").first.click()
    page.locator("#table tbody tr").first.wait_for()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.locator("#table tbody").get_by_role("link", name="logmel-svm (bob)").click()
    page.locator("nav.site").get_by_role("link", name="All results").click()
    assert page.locator("nav.site [aria-current]").inner_text() == "All results"


def test_without_a_script_all_of_it_is_there(browser: Browser, site: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((site / "index.html").as_uri())
    assert len(names(page)) == 5
    assert not page.locator("#theme").is_visible() and not page.locator("#filter").is_visible()
    page.close()


def test_hostile_names_run_nothing(browser: Browser, home: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(home / "bob", tmp_path / "<img src=x onerror=alert(1)>")
    build_site([folder], tmp_path / "site")
    page = browser.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.goto((tmp_path / "site" / "index.html").as_uri())
    assert page.locator("img").count() == 0
    assert "<img src=x" in page.locator("#folders tbody th").inner_text()
    assert not dialogs
    page.close()
