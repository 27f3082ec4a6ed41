"""A real browser: Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.web.served import Served

#: Milliseconds that anything may take.
PATIENCE = 20_000

WIDE, LAPTOP, PHONE = (1440, 1000), (1366, 768), (390, 844)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a Chromium; skip the test without one, unless ``COPYTRADE_BROWSER=needed`` (as .ci/run says)."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("COPYTRADE_BROWSER") == "needed":
            raise AssertionError("there is no chromium: apt-get install chromium")
        pytest.skip("NOT TESTED: there is no chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [], timeout=60_000
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, board: Served, size: tuple[int, int] = WIDE, scheme: str = "light", url: str = ""
) -> Iterator[Page]:
    """Open the board by a link, through another address if one is given; see that the page complains of nothing."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(f"a dialog: {dialog.message}"))
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto((url or board.url).rstrip("/") + board.link())
    page.get_by_role("heading", name="Followers").wait_for()
    try:
        yield page
    finally:
        context.close()
    assert errors == []


def serious_faults(page: Page) -> list[str]:
    """Return what axe finds that keeps somebody from using the page."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def picture(page: Page, name: str) -> None:
    """Make a picture for the documents if ``COPYTRADE_PICTURES`` names their folder."""
    if folder := os.environ.get("COPYTRADE_PICTURES"):
        page.screenshot(path=str(Path(folder) / name))
