"""The registry's page in headless Chromium: a device, its lineage, a named query; wide, narrow, light, dark.

`TINYC_SCREENSHOTS=FOLDER` keeps a picture of every page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pyoxigraph import Literal, NamedNode, Quad, parse

from support import registry_fleet
from support.browser import LOOKS, chromium, context_options
from support.registry_http import serving
from tinyc.registry import names, queries
from tinyc.registry.store.embedded import EmbeddedStore
from tinyc.registry.vocabulary import RDF, SCHEMA, TINYC

pytestmark = pytest.mark.unit

DEVICES = 2000
DEVICE = "nrf52840:1122334455667788"
PAGES = {
    "fleet": "#/devices",
    "device": f"#/device/{quote(DEVICE, safe='')}",
    "models": "#/models",
    "model": "#/model/" + quote("keyword_spotting:1.0.0:aaaaaaaaaaaaaaaa", safe=""),
    "versions": "#/versions",
    "query": "#/query",
    "nothing": "#/device/none",
    "filtered": "#/devices?text=no-such-device",
}
HOSTILE = '<img src=x onerror="window.hit=1">\'"><script>window.hit=1</script>'


def hostile() -> Iterator[Quad]:
    """A site and a device whose names are markup."""
    site, device = names.site(HOSTILE), names.device("microbit", "bad<b>1")
    yield Quad(site, RDF.type, TINYC.Site)
    yield Quad(site, SCHEMA.name, Literal(HOSTILE))
    yield Quad(device, RDF.type, TINYC.Device)
    yield Quad(device, TINYC.chip, Literal("bad<b>1"))
    yield Quad(device, TINYC.board, names.board("microbit"))
    yield Quad(device, TINYC.site, site)
    # An IRI may have quotes that end an attribute.
    yield Quad(NamedNode("urn:x:'onmouseover='window.hit=1"), TINYC.chip, Literal(HOSTILE))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = EmbeddedStore(tmp_path_factory.mktemp("browser") / "store")
    store.insert([*parse(path=str(registry_fleet.SAMPLE)), *registry_fleet.quads(DEVICES), *hostile()])
    with serving(store, named=queries.named_queries()) as client:
        yield str(client.base_url)
    store.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(params=LOOKS, ids="-".join)
def page(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that must not ask another host, and must not complain."""
    yield from opened(browser, address, *request.param)


@pytest.fixture
def desktop(browser: Any, address: str) -> Iterator[Any]:
    yield from opened(browser, address, "desktop", "light")


def opened(browser: Any, address: str, size: str, scheme: str) -> Iterator[Any]:
    context = browser.new_context(base_url=address, **context_options(size, scheme))
    page = context.new_page()
    page.set_default_timeout(15_000)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert asked and not [url for url in asked if not url.startswith((address, "data:"))]
    # A 404 or 400 that a test asked for is told on the console too, and so are handlers that were refused.
    expected = ("status of 4", "Executing inline event handler")
    assert not [text for text in complaints if not any(word in text for word in expected)], complaints


def show(page: Any, path: str) -> None:
    page.goto("about:blank")
    page.goto(f"/{path}")
    page.locator("main h1").wait_for()


def heading(page: Any, text: str) -> None:
    page.get_by_role("heading", level=1, name=text, exact=True).wait_for()


# What people do


def test_finding_a_device_and_following_its_lineage(page: Any) -> None:
    show(page, "")
    heading(page, "Fleet")
    page.get_by_label("Search").fill("1122334455667788 hall")
    page.locator(".count").get_by_text("1 of 1 device").wait_for()
    assert "text=1122334455667788" in page.url
    page.get_by_role("link", name="1122334455667788").click()
    heading(page, "1122334455667788")
    assert page.get_by_text("444,084 B free of 499,712 B").is_visible()
    assert page.get_by_role("row").filter(has_text="smp").count() == 1
    lineage = page.get_by_role("region", name="Where this device's model came from")
    assert lineage.get_by_text("quantized").first.is_visible()
    lineage.get_by_role("link", name="keyword_spotting").click()
    heading(page, "keyword_spotting 1.0.0")
    assert page.get_by_text("0.30 points").is_visible()
    family = page.get_by_role("region", name="Where keyword_spotting 1.0.0 came from, and what came of it")
    family.get_by_role("link", name="1.1.0").click()
    heading(page, "keyword_spotting 1.1.0")
    assert page.get_by_text("On no device.").is_visible()
    page.go_back()
    heading(page, "keyword_spotting 1.0.0")


@pytest.mark.parametrize("page", [LOOKS[0], LOOKS[3]], ids="-".join, indirect=True)
def test_filters_make_links_that_hold(page: Any) -> None:
    show(page, "#/devices")
    toggle = page.get_by_role("button", name="Filters")
    if toggle.is_visible():
        assert not page.get_by_label("Board").is_visible()
        toggle.click()
    page.get_by_label("Board").select_option("microbit")
    page.get_by_label("Drift").select_option("drifted")
    page.wait_for_url(re.compile("board=microbit.*drift=drifted"))
    counter = page.locator(".count")
    page.wait_for_function("() => !document.querySelector('.results').hasAttribute('aria-busy')")
    told = counter.text_content()
    assert told and not told.endswith(f"{DEVICES:,} devices")
    for row in page.locator("tbody tr").all()[:5]:
        assert "BBC micro:bit v2" in row.text_content() and "drifted" in row.text_content()
    page.reload()
    counter.get_by_text(told).wait_for()
    page.get_by_role("link", name="Clear filters").click()
    counter.get_by_text(f"50 of {DEVICES + 3:,} devices").wait_for()
    page.get_by_role("button", name="Show more").click()
    counter.get_by_text(f"100 of {DEVICES + 3:,} devices").wait_for()


def test_a_named_query(page: Any) -> None:
    show(page, "#/query")
    page.get_by_label("Named query").select_option("devices-running")
    page.get_by_label("model (model)").fill("keyword_spotting")
    page.get_by_role("button", name="Ask").click()
    page.locator(".verdict").get_by_text("1 row in").wait_for()
    assert (
        "name=devices-running" in page.url
        and "tinyc:runsModel" in page.locator(".CodeMirror").first.text_content()
    )
    page.locator(".answer").get_by_role("link", name=DEVICE).click()
    heading(page, "1122334455667788")
    page.go_back()
    page.locator(".verdict").get_by_text("1 row in").wait_for()


def test_sparql_by_hand_and_its_mistakes(desktop: Any) -> None:
    show(desktop, "#/query?text=" + quote("SELECT ?s WHERE { ?s a <urn:tinyc:ns#Site> }"))
    desktop.get_by_role("button", name="Run").click()
    desktop.locator(".verdict").get_by_text(re.compile(r"\d rows in")).wait_for()
    show(desktop, "#/query?text=" + quote("SELECT ?s WHERE {\n ?s ?p }"))
    desktop.locator(".CodeMirror textarea").first.focus()
    desktop.keyboard.press("Control+Enter")
    desktop.get_by_role("alert").get_by_text("line 2, column").wait_for()
    show(desktop, "#/query?text=" + quote("CONSTRUCT WHERE { ?s a <urn:tinyc:ns#Site> }"))
    desktop.get_by_role("button", name="Run").click()
    desktop.locator(".verdict").get_by_text("in").wait_for()
    desktop.locator(".answer").get_by_text("Lager").first.wait_for()


def test_names_that_are_markup_stay_text(desktop: Any) -> None:
    show(desktop, "#/devices?text=bad")
    desktop.get_by_role("link", name="bad<b>1").click()
    heading(desktop, "bad<b>1")
    assert desktop.get_by_role("link", name=HOSTILE).is_visible()
    show(desktop, "#/versions")
    assert desktop.get_by_role("link", name=HOSTILE).count() == 1
    show(
        desktop,
        "#/query?text=" + quote("SELECT ?s ?o { ?s <urn:tinyc:ns#chip> ?o FILTER(CONTAINS(?o, 'hit')) }"),
    )
    desktop.get_by_role("button", name="Run").click()
    desktop.locator(".verdict").get_by_text("1 row in").wait_for()
    desktop.locator(".answer td a").hover()
    desktop.wait_for_timeout(200)
    assert desktop.evaluate("window.hit") is None


def test_what_is_not_there(desktop: Any) -> None:
    show(desktop, PAGES["nothing"])
    heading(desktop, "Not in the registry")
    show(desktop, "#/nonsense")
    assert desktop.get_by_text("There is no such page.").is_visible()
    show(desktop, PAGES["filtered"])
    assert desktop.get_by_text("No device matches these filters.").is_visible()


def test_an_empty_registry(browser: Any) -> None:
    with serving(EmbeddedStore(), seconds=None) as client:
        for page in opened(browser, str(client.base_url), "phone", "light"):
            for path, words in (
                ("#/devices", "No device is registered yet."),
                ("#/models", "No model is registered yet."),
                ("#/versions", "No model is registered yet."),
            ):
                show(page, path)
                assert page.get_by_text(words).is_visible()


def test_a_server_that_has_ended(browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    with serving(EmbeddedStore(), seconds=None) as client:
        page.goto(str(client.base_url))
        page.locator("main h1").wait_for()
    page.get_by_role("link", name="Models").click()
    page.get_by_role("alert").get_by_text("The server does not answer.").wait_for()
    context.close()


# How it looks and reads

AUDIT = (Path(__file__).parents[1] / "data" / "page_audit.js").read_text(encoding="utf-8")


def test_every_page_can_be_read(page: Any, request: pytest.FixtureRequest) -> None:
    show(page, "")
    problems = {}
    for name, path in PAGES.items():
        page.evaluate("document.querySelector('main').firstElementChild.id = 'before'")
        page.evaluate("path => { location.hash = path }", path)
        page.locator("main > :not(#before) h1").wait_for()
        if name == "query":
            page.get_by_role("button", name="Run").click()
            page.locator(".answer table").wait_for()
        folder = os.environ.get("TINYC_SCREENSHOTS")
        if folder:
            picture = Path(folder) / f"{name}-{request.node.callspec.id}.png"
            page.screenshot(path=picture, full_page=name != "fleet")
        problems[name] = page.evaluate(AUDIT)
    assert problems == {name: [] for name in PAGES}


def test_the_theme_is_kept(desktop: Any) -> None:
    show(desktop, "#/models")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = desktop.evaluate(ground)
    desktop.get_by_role("button", name="Switch to dark colours").click()
    dark = desktop.evaluate(ground)
    assert dark != light
    desktop.reload()
    desktop.get_by_role("button", name="Switch to light colours").wait_for()
    assert desktop.evaluate(ground) == dark


def test_the_keyboard_is_enough(desktop: Any) -> None:
    show(desktop, "#/devices")
    desktop.keyboard.press("Tab")
    assert desktop.evaluate("document.activeElement.textContent") == "Skip to content"
    desktop.keyboard.press("Enter")
    assert desktop.evaluate("document.activeElement.id") == "main"
    heading(desktop, "Fleet")
    desktop.get_by_label("Search").focus()
    desktop.keyboard.type("99aa")
    desktop.locator(".count").get_by_text("1 of 1 device").wait_for()
    desktop.get_by_role("link", name="99aa").focus()
    desktop.keyboard.press("Enter")
    heading(desktop, "99aa")
    # The next Tab is inside the new page, and its name is told.
    assert desktop.evaluate("document.activeElement.id") == "main"
    assert desktop.locator("#status").text_content() == "99aa"
    assert desktop.evaluate("document.title").startswith("99aa")
