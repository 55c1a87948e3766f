"""Measures the HTML page of a model in Chromium: the first character, characters per second, and memory.

The first character is the time from opening the file until it is on the screen. The page writes as fast as it can,
with the text on the screen; the engine alone writes without it. Speeds are per second that passes, and per second of
processor time of the page's thread. `--minutes` continues to write, and shows the memory of JavaScript after garbage
collection, of which the text itself is a part. Needs Playwright (`pip install playwright`).

    python tests/benchmarks/page_in_browser.py anna --minutes 10
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import CDPSession, Page, sync_playwright

from charrnn_cli.network.weights import load_checked_model
from charrnn_cli.runs.folders import run_to_sample
from charrnn_cli.web.html_page import html_page

ROUNDS, SECONDS = 5, 5
# Notes when the document is complete, when the first character is in it, and when that is on the screen.
WATCH = """
window.times = [];
const note = () => times.push(Math.round(performance.now()));
addEventListener("DOMContentLoaded", () => {
  note();
  new MutationObserver((_, observer) => {
    if (!document.querySelector("[contenteditable] .token")) return;
    observer.disconnect();
    note();
    requestAnimationFrame(() => setTimeout(note));
  }).observe(document.documentElement, { childList: true, subtree: true });
});
"""
ENGINE = """async (seconds) => {
  window.model ||= await charrnn.openEmbedded();
  const uniform = charrnn.uniforms(0), ids = [], start = performance.now();
  let state = model.firstIds().reduce((before, id) => model.read(before, id), model.start());
  while (performance.now() - start < 1000 * seconds) {
    ids.push(charrnn.draw(model, state.logits, {}, ids.slice(-64), uniform()));
    state = model.read(state, ids.at(-1));
  }
  return Array.from(model.decode(ids)).length;
}"""


def opened(browser, address: str) -> tuple[Page, list[int]]:
    """The page, and the times in milliseconds that `WATCH` notes."""
    page = browser.new_page()
    page.add_init_script(WATCH)
    page.goto(address)
    while len(times := page.evaluate("times")) < 3:
        time.sleep(0.05)
    return page, times


def write_on(page: Page) -> None:
    """Lets the page write without an end, as fast as it can."""
    page.locator("#speed").select_option("fast")
    page.locator("summary", has_text="More settings").click()
    page.locator("#setting-length").fill("0")
    pause, write = (page.get_by_role("button", name=name, exact=True) for name in ("Pause", "Write"))
    if pause.count():
        pause.click()
    write.click()


def written(page: Page) -> int:
    """The number of tokens that the page shows."""
    return int(page.locator(".count").text_content().split()[0].replace(",", ""))


def clock(session: CDPSession) -> tuple[float, float]:
    """The time in seconds, and the processor time that the thread of the page has taken since `Performance.enable`."""
    metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    return time.monotonic(), metrics["ThreadTime"]


def speeds(count: int, before: tuple[float, float], after: tuple[float, float]) -> str:
    passed, processor = (count / (end - start) for start, end in zip(before, after, strict=True))
    return f"{passed:,.0f}/s, {processor:,.0f}/s of processor time"


def memory(page: Page) -> float:
    """The memory of JavaScript after garbage collection, in MB."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")
    session.detach()
    return (used["usedSize"] + used.get("backingStorageSize", 0)) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--minutes", type=float, default=0.0)
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or sys.exit("needs Chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "page.html"
        path.write_text(html_page(load_checked_model(run_to_sample(arguments.model)), arguments.model), "utf-8")
        browser = playwright.chromium.launch(executable_path=chromium)
        for _ in range(ROUNDS):
            page, (complete, computed, shown) = opened(browser, path.as_uri())
            print(f"first character after {shown} ms: document {complete}, character {computed - complete} later")
            page.close()
        page, _ = opened(browser, path.as_uri())
        page.get_by_role("button", name="Pause", exact=True).click()
        page.evaluate(ENGINE, 0)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        for _ in range(3):
            start, count = clock(session), page.evaluate(ENGINE, SECONDS)
            print(f"engine alone: {count:,} characters, {speeds(count, start, clock(session))}", flush=True)
        write_on(page)
        start, before = clock(session), written(page)
        while True:
            time.sleep(max(SECONDS, 60 * arguments.minutes / 20))
            end, count = clock(session), written(page)
            passed = end[0] - start[0]
            speed = speeds(count - before, start, end)
            print(f"{passed / 60:.1f} minutes: {count:,} tokens, {speed}, {memory(page):.1f} MB", flush=True)
            if passed >= max(3 * SECONDS, 60 * arguments.minutes):
                break
        browser.close()


if __name__ == "__main__":
    main()
