import pytest
from page_browser import is_foreign, package, program


@pytest.fixture(scope="module")  # while Playwright runs, no other event loop can
def browser():
    chromium = program("Chromium", "chromium", "chromium-browser", "google-chrome")
    with package("playwright.sync_api").sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser):
    """Opens a page without a network. In the end no page had an error, and none asked for anything else."""
    contexts, problems = [], []

    def opened(address, ready="[contenteditable] >> nth=0", **options):
        context = browser.new_context(offline=True, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.append(request.url) if is_foreign(request.url, address) else None)
        page.goto(address)
        page.wait_for_selector(ready)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
