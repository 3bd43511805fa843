"""Open pages in Debian's chromium with Playwright, as a reader does, and check what they show."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page


@contextmanager
def opened(
    browser: Browser, page: Path, *, width: int = 1440, scheme: str = "light", script: bool = True
) -> Iterator[Page]:
    """Open a page from a file; fail if it logs to the console, raises an error, or requests more than files."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        java_script_enabled=script,
        offline=True,
        reduced_motion="reduce",
    )
    tab = context.new_page()
    trouble: list[str] = []
    tab.on("console", lambda message: trouble.append(f"console: {message.text}"))
    tab.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    tab.on("requestfailed", lambda request: trouble.append(f"failed: {request.url[:100]}"))
    tab.on("request", lambda request: None if allowed(request.url) else trouble.append(f"asked: {request.url[:100]}"))
    tab.goto(page.as_uri())
    tab.wait_for_load_state("networkidle")
    yield tab
    context.close()
    assert trouble == [], "; ".join(trouble)


def allowed(url: str) -> bool:
    return url.startswith(("file:", "data:"))


def is_drawn(screenshot: bytes, scheme: str) -> bool:
    """Return whether an image has its scheme's background, or over 100 grey levels, and something drawn on it."""
    pixels = np.asarray(Image.open(io.BytesIO(screenshot)).convert("L"), float)
    paper = np.median(pixels)
    as_the_page = paper > 200 if scheme == "light" else paper < 60
    return bool(as_the_page or len(np.unique(pixels)) > 100) and bool((np.abs(pixels - paper) > 60).mean() > 0.002)


def serious(tab: Page) -> list[str]:
    """Return the accessibility violations that axe-core rates as serious or critical."""
    violations = Axe().run(tab).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in violations if v["impact"] in ("serious", "critical")]
