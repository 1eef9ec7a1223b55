"""A headless Chromium of the system and a page that refuses every request and keeps what goes wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asc_bench.reporting.evaluation import Evaluation
from asc_bench.reporting.page import html_page
from asc_bench.reporting.report import text_files

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Opened = Callable[..., "Page"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "no browser: install Debian's chromium (apt-get install chromium)"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Open the page of an evaluation from disk; at the end, nothing was requested and no error was logged."""
    faults: list[str] = []
    pages: list[Page] = []

    def open_page(made: Evaluation, *, width: int = 1400, scheme: str = "light") -> Page:
        path = tmp_path / "report.html"
        files = {name: text for name, text in text_files(made).items() if text}
        path.write_text(html_page(made, files=files), encoding="utf-8")
        page = browser.new_page(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("request", lambda request: faults.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not [fault for fault in faults if not fault.startswith("blob:")]
