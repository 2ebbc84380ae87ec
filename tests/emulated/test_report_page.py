"""`tinyc report`: the page of a real build, as data and in headless Chromium, wide, narrow, light and dark.

`TINYC_SCREENSHOTS=FOLDER` keeps a picture of every look.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.browser import LOOKS, chromium, context_options
from support.command_line import tinyc
from support.paths import ROOT
from support.report_pages import Elements, page_data
from tinyc.artifact import Artifact, open_artifact
from tinyc.build_page.collect import collect
from tinyc.build_page.compare import compare
from tinyc.build_page.render import embedded, render
from tinyc.build_page.view import BuildView, Change, CostSource, Page, PartView, SymbolGroup
from tinyc.tradeoff import tradeoff

pytestmark = pytest.mark.emulated

HOSTILE = '</script><script>window.hit=1</script><!--<img src=x onerror="window.hit=1">\'"&\u2028\ud800'
EXAMPLE = ROOT / "examples" / "keyword_spotting"
VENDOR = ROOT / "compiler" / "tinyc" / "build_page" / "vendor"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of the keyword example, with a bill and a front end."""
    out = tmp_path_factory.mktemp("report") / "keywords"
    said = tinyc("build", EXAMPLE, "--board", "nrf52840_bare", "--out", out, "--report")
    assert said.code == 0, said.stderr
    assert str(out / "report.html") in said.stderr
    return out


@pytest.fixture(scope="module")
def found(folder: Path) -> Artifact:
    return open_artifact(folder)


@pytest.fixture(scope="module")
def view(found: Artifact) -> BuildView:
    return collect(found, CostSource.COUNTED)


def without_a_layer(view: BuildView) -> BuildView:
    """The same build with one layer less, one of another name and one with more weights."""
    changed = [*view.layers[:1], *view.layers[2:]]
    changed[1] = replace(changed[1], weights=changed[1].weights - 100)
    changed[-1] = replace(changed[-1], name="another")
    layers = tuple(replace(layer, index=index) for index, layer in enumerate(changed))
    smaller = tuple(replace(one, bytes=one.bytes - 4) if one.bytes > 4000 else one for one in view.symbols)
    return replace(view, layers=layers, symbols=smaller, flash=view.flash - 1000, bill=None)


# The view


def test_the_view_says_what_report_and_profile_say(view: BuildView, folder: Path, found: Artifact) -> None:
    report = found.report
    for key in (
        "model",
        "digest",
        "firmware",
        "toolchain",
        "flash",
        "ram",
        "stack_bound",
        "arena",
        "weights",
    ):
        assert getattr(view, key) == report[key], key
    profile = tinyc("profile", folder, "--json").json
    assert (view.instructions, view.cycles) == (profile["instructions"], profile["cycles_estimated"])
    keys = ("name", "op", "kernel", "macs", "instructions", "weights", "scratch")
    for layer, entry in zip(view.layers, profile["layers"], strict=True):
        assert [getattr(layer, key) for key in keys] == [entry[key] for key in keys]
    assert view.bill == json.loads((folder / ".tinyc" / "bill.json").read_text())


def test_buffers_lie_in_the_arena_while_their_layers_run(view: BuildView) -> None:
    assert {buffer.kind.value for buffer in view.buffers} >= {"input", "activation", "scratch", "front_end"}
    assert max(buffer.offset + buffer.size for buffer in view.buffers) == view.arena >= max(view.live)
    assert len(view.live) == len(view.layers) + 2
    for buffer in view.buffers:
        assert buffer.first <= buffer.last and all(buffer.first <= at <= buffer.last for at in buffer.layers)
        assert (view.layers[buffer.first].scratch == buffer.size) if buffer.kind == "scratch" else True


def test_symbols_are_all_of_the_firmware(view: BuildView) -> None:
    kinds: dict[str, int] = {}
    for symbol in view.symbols:
        kinds[symbol.kind] = kinds.get(symbol.kind, 0) + symbol.bytes
    assert sum(size for kind, size in kinds.items() if kind != "bss") == view.flash
    assert kinds.get("data", 0) + kinds["bss"] == view.ram
    (arena,) = (symbol for symbol in view.symbols if symbol.group is SymbolGroup.ARENA)
    assert arena.bytes == view.arena
    constants = [symbol for symbol in view.symbols if symbol.group is SymbolGroup.CONSTANTS]
    assert sum(symbol.bytes for symbol in constants) >= view.weights
    assert {symbol.layer for symbol in constants} <= set(range(len(view.layers)))
    kernels = {symbol.name for symbol in view.symbols if symbol.group is SymbolGroup.KERNELS}
    assert {layer.kernel for layer in view.layers if "softmax" in layer.kernel} <= kernels


def test_predicted_costs_run_nothing(found: Artifact) -> None:
    predicted = collect(found, CostSource.PREDICTED)
    entries = found.report["layers"]
    assert [layer.cycles for layer in predicted.layers] == [entry["cycles_predicted"] for entry in entries]
    assert predicted.cycles == sum(entry["cycles_predicted"] for entry in entries)


def test_cycles_of_another_core_are_no_time(tmp_path: Path) -> None:
    said = tinyc(
        "build", ROOT / "examples" / "sine", "--board", "host", "--out", tmp_path / "out", "--report"
    )
    assert said.code == 0, said.stderr
    build = page_data(tmp_path / "out" / "report.html")["build"]
    assert (build["costs"], build["cycles_of"], build["timed"]) == ("predicted", "cortex-m4", False)
    assert build["cycles"] > 0 and build["extras"] == {}


def test_comparison_of_layers_that_come_and_go(view: BuildView) -> None:
    comparison = compare(view, without_a_layer(view))
    changes = {one.name: one for one in comparison.layers}
    assert changes[view.layers[1].name].change is Change.ADDED
    assert changes[view.layers[2].name].change is Change.CHANGED
    assert changes["another"].change is Change.REMOVED and changes["another"].after is None
    assert changes[view.layers[-1].name].change is Change.ADDED
    rest = [one for one in comparison.layers if one.change is Change.SAME]
    assert len(rest) == len(view.layers) - 3
    # All layers of this build, in its order, and where a layer of the other one was.
    assert [one.after for one in comparison.layers if one.after is not None] == list(range(len(view.layers)))
    totals = {one.name: one for one in comparison.totals}
    assert (totals["Flash"].after or 0) - (totals["Flash"].before or 0) == 1000
    assert totals["Network SQNR"].before is None and totals["Network SQNR"].after is not None
    assert comparison.symbols and all(one.after - one.before == 4 for one in comparison.symbols)


def test_a_build_equals_itself(view: BuildView) -> None:
    comparison = compare(view, view)
    assert {one.change for one in comparison.layers} == {Change.SAME} and comparison.symbols == ()
    assert all(one.before == one.after for one in comparison.totals)


# The page as a text


def test_policy_allows_exactly_the_scripts_and_styles_of_the_page(view: BuildView) -> None:
    elements = Elements(render(Page(view)))
    policy = dict(line.split(" ", 1) for line in elements.policy.split("; "))
    assert policy["default-src"] == "'none'" and "connect-src" not in policy

    def sources(texts: list[str]) -> list[str]:
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]

    assert policy["script-src"].split() == sources(elements.scripts) and len(elements.scripts) == 4
    assert policy["style-src"].split() == sources(elements.styles)


def test_foreign_text_stays_text(view: BuildView) -> None:
    layers = (replace(view.layers[0], name=HOSTILE), *view.layers[1:])
    text = render(Page(replace(view, model=HOSTILE, layers=layers)))
    elements = Elements(text)
    data = json.loads(elements.data)
    assert data["build"]["model"] == data["build"]["layers"][0]["name"] == HOSTILE
    assert len(elements.scripts) == 4
    assert not set("<>&") & set(embedded({HOSTILE: [HOSTILE]}))


def test_libraries_are_the_ones_of_the_table_and_bring_their_licences(view: BuildView) -> None:
    table = (VENDOR / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\S+\.min\.js)` .* `([0-9a-f]{64})` \|$", table, re.MULTILINE))
    files = sorted(VENDOR.glob("*.min.js"))
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files} == rows
    text = render(Page(view))
    for path in files:
        assert path.read_text(encoding="utf-8") in text
        assert path.with_name(path.name.replace(".min.js", ".LICENSE")).read_text(encoding="utf-8") in text


def test_report_verb(folder: Path, view: BuildView, tmp_path: Path) -> None:
    said = tinyc("report", folder)
    assert said.code == 0 and Path(said.stdout.strip()) == folder / "report.html"
    page = folder / "report.html"
    assert page.read_text(encoding="utf-8") == render(Page(view))
    said = tinyc("report", folder, "--against", folder, "--predicted", "--out", tmp_path / "new" / "a.html")
    assert said.code == 0, said.stderr
    data = page_data(tmp_path / "new" / "a.html")
    assert data["comparison"]["other"] == data["build"] and data["build"]["costs"] == "predicted"
    missing = tinyc("report", tmp_path)
    assert missing.code == 1 and "is not a build folder" in missing.stderr
    assert tinyc("report", folder, "--out", folder / "report.html" / "x").code == 1


def test_files_of_two_builds_in_a_folder_are_told_of(folder: Path, found: Artifact, tmp_path: Path) -> None:
    mixed = shutil.copytree(folder, tmp_path / "mixed")
    digest = bytes.fromhex(found.program.digest)
    elf = mixed / found.report["elf"]
    assert digest in elf.read_bytes()
    elf.write_bytes(elf.read_bytes().replace(digest, bytes(range(32))))
    for verb in ("report", "profile", "verify"):
        said = tinyc(verb, mixed)
        assert said.code == 1 and said.stderr.count("error:") == 1
        assert f"{elf}: the firmware is not of this build" in said.stderr
        assert "run `tinyc build` again" in said.stderr
    told = mixed / "report.json"
    told.write_text(told.read_text().replace(found.program.digest, bytes(range(32)).hex()))
    said = tinyc("report", mixed)
    assert said.code == 1 and "the files of the folder are not of one build" in said.stderr


# The page in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


def opened(browser: Any, path: Path, size: str = "desktop", scheme: str = "light") -> Iterator[Any]:
    """The page, which must ask for nothing and complain of nothing."""
    context = browser.new_context(**context_options(size, scheme))
    page = context.new_page()
    page.set_default_timeout(15_000)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(path.as_uri())
    page.locator("#layers tbody tr").first.wait_for()
    yield page
    context.close()
    assert asked == [path.as_uri()]
    assert not complaints


@pytest.fixture(scope="module")
def compared(view: BuildView, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "compared.html"
    path.write_text(render(Page(view, compare(view, without_a_layer(view)))), encoding="utf-8", newline="\n")
    return path


@pytest.fixture
def page(browser: Any, compared: Path) -> Iterator[Any]:
    yield from opened(browser, compared)


@pytest.mark.parametrize(("size", "scheme"), LOOKS, ids="-".join)
def test_every_look(browser: Any, compared: Path, size: str, scheme: str) -> None:
    for page in opened(browser, compared, size, scheme):
        width = page.evaluate("innerWidth")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for name in ("comparison", "model", "layers", "memory", "sizes", "quantization"):
            box = page.locator(f"#{name}").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] > 100, name
        assert page.evaluate(CONTRASTS) == {}
        if folder := os.environ.get("TINYC_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/report-{size}-{scheme}.png", full_page=True)


# Pairs of text and ground in the style sheet whose contrast is less than 4.5 to 1 (WCAG 2.2, 1.4.3).
CONTRASTS = """() => {
  const probe = document.createElement("div");
  document.body.append(probe);
  const luminance = (name) => {
    probe.style.color = `var(--${name})`;
    const parts = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255);
    const linear = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const grounds = ["ground", "surface", "plain-ground", "accent-ground"];
  const texts = ["text", "muted", "accent", "ok", "bad"];
  const pairs = texts.flatMap((text) => grounds.map((ground) => [text, ground]));
  pairs.push(...["teal", "sand", "blue", "plum", "grey", "warn-ground"].map((fill) => ["text", fill]));
  const low = {};
  for (const [text, ground] of pairs) {
    const [one, other] = [luminance(text), luminance(ground)];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (!(contrast >= 4.5)) low[`${text} on ${ground}`] = contrast;
  }
  probe.remove();
  return low;
}"""


def test_a_layer_is_marked_everywhere(page: Any, view: BuildView) -> None:
    layer = view.layers[3]
    node = page.locator(".node", has_text=layer.name)
    node.click()
    assert node.get_attribute("aria-pressed") == "true"
    panel = page.get_by_role("complementary", name="Selected layer")
    assert panel.get_by_role("heading").first.inner_text() == layer.name
    assert layer.kernel in panel.inner_text()
    (row,) = page.locator("#layers tr[aria-current]").all()
    assert layer.name in row.inner_text() and f"{layer.instructions:,}" in row.inner_text()
    marked = page.locator("#memory .buffer.own").count()
    assert marked == sum(layer.index in buffer.layers for buffer in view.buffers)
    assert page.locator("#sizes .symbol.own").count() >= 1
    # The other way round: from the table to the graph, where it comes into sight.
    page.locator("#layers").get_by_role("button", name=re.compile(view.layers[-1].name)).click()
    last = page.locator(".node", has_text=view.layers[-1].name)
    assert last.get_attribute("aria-pressed") == "true"
    canvas, box = page.locator(".canvas").bounding_box(), last.bounding_box()
    assert canvas["y"] <= box["y"] and box["y"] + box["height"] <= canvas["y"] + canvas["height"]


def test_layers_by_keyboard(page: Any, view: BuildView) -> None:
    page.locator(".node[tabindex='0']").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#details h3").inner_text() == view.layers[1].name
    page.get_by_role("button", name="Next →").click()
    assert page.locator("#details h3").inner_text() == view.layers[2].name
    assert page.locator(".node[tabindex='0']").count() == 1


def test_sorting(page: Any, view: BuildView) -> None:
    head = page.locator("#layers th", has_text="constants B")
    head.get_by_role("button").click()
    names = "#layers tbody th .name"
    assert head.get_attribute("aria-sort") == "descending"
    shown = page.locator(names).all_inner_texts()
    weights = {layer.name: layer.weights for layer in view.layers}
    assert [weights[name] for name in shown] == sorted(weights.values(), reverse=True)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert page.locator(names).first.inner_text() in [name for name, size in weights.items() if size == 0]
    page.locator("#layers th", has_text="layer").get_by_role("button").click()
    assert page.locator("#layers th[aria-sort]").count() == 1
    assert page.locator(names).first.inner_text() == "conv_1"


def test_moving_and_zooming(page: Any) -> None:
    network = page.locator(".network")
    canvas = page.locator(".canvas")

    def size() -> tuple[float, float, float]:
        found = network.bounding_box()
        return found["x"], found["y"], found["width"]

    before = size()
    page.get_by_role("button", name="Zoom in").click()
    assert size()[2] > before[2] * 1.2
    page.get_by_role("button", name="Show all of it").click()
    box = canvas.bounding_box()
    assert network.bounding_box()["height"] <= box["height"] + 1
    before = size()
    page.mouse.move(box["x"] + 40, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 250, steps=4)
    page.mouse.up()
    after = size()
    assert (round(after[0] - before[0]), round(after[1] - before[1])) == (60, -50)
    # A wheel alone scrolls the page.
    page.mouse.wheel(0, -100)
    assert size()[2] == after[2]
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    assert size()[2] > after[2]


def test_buffers_and_symbols_tell_what_they_are(page: Any, view: BuildView) -> None:
    scratch = next(buffer for buffer in view.buffers if buffer.kind == "scratch")
    page.locator("#memory .buffer.scratch").first.hover()
    told = page.locator("#buffer").inner_text()
    assert view.layers[scratch.first].name in told and f"{scratch.size:,} B" in told
    page.locator("#memory .buffer.front_end").click()
    assert "before the first layer" in page.locator("#buffer").inner_text()
    largest = max((one for one in view.symbols if one.kind != "bss"), key=lambda one: one.bytes)
    page.locator("#sizes .symbol").first.click()
    assert f"{largest.bytes:,} B" in page.locator("#sizes .info").inner_text()
    assert page.locator("#details h3").inner_text() == view.layers[largest.layer or 0].name


def test_comparison_view(page: Any, view: BuildView) -> None:
    section = page.locator("#comparison")
    flash = section.get_by_role("row").filter(has_text="Flash")
    assert f"{view.flash:,} B" in flash.inner_text() and "+1,000" in flash.inner_text()
    layers = section.get_by_role("region", name="Layers of both builds").locator("tbody tr")
    assert layers.count() == len(view.layers) + 1
    page.get_by_label("Hide").check()
    states = sorted(row.locator(".badge").inner_text() for row in layers.all() if row.is_visible())
    assert states == ["changed", "gone", "new", "new"]
    row = layers.filter(has_text=view.layers[2].name)
    assert "+100" in row.inner_text()


def test_layers_inside_fused_ones(browser: Any, view: BuildView, tmp_path: Path) -> None:
    first, second, *rest = view.layers
    parts = tuple(
        PartView(one.name, one.op, one.kernel, one.macs, one.inputs, one.outputs, one.options)
        for one in (first, second)
    )
    pair = replace(first, name="pair", outputs=second.outputs, parts=parts)
    layers = (pair, *(replace(layer, index=layer.index - 1) for layer in rest))
    path = tmp_path / "fused.html"
    path.write_text(render(Page(replace(view, layers=layers, bill=None))), encoding="utf-8", newline="\n")
    for page in opened(browser, path):
        assert page.locator(".node").count() == len(layers)
        page.get_by_label("Layers inside blocks").check()
        assert page.locator(".node").count() == len(layers) + 1
        page.locator(".node", has_text=second.name).click()
        assert page.locator("#details h3").inner_text() == "pair"
        assert page.locator("#details .parts li").count() == 2
        assert page.locator("#quantization").count() == 0


def test_what_int4_weights_cost_by_layer(browser: Any, view: BuildView, tmp_path: Path) -> None:
    assert view.bill is not None
    first, *others = view.bill["layers"]
    bill = {**view.bill, "layers": [{**first, "int8_weights_gain_db": 1.25}, *others]}
    path = tmp_path / "int4.html"
    path.write_text(render(Page(replace(view, bill=bill))), encoding="utf-8", newline="\n")
    for page in opened(browser, path):
        table = page.locator("#quantization table").first
        assert "gain with int8 weights" in table.inner_text()
        assert "+1.3 dB" in table.locator("tbody tr").first.inner_text()


def test_hostile_names_do_nothing_in_a_browser(browser: Any, view: BuildView, tmp_path: Path) -> None:
    name = HOSTILE.replace("\ud800", "")
    layers = tuple(
        replace(layer, name=f"{layer.index} {name}", options={name: name}) for layer in view.layers
    )
    symbols = tuple(replace(symbol, name=name) for symbol in view.symbols)
    hostile = replace(view, model=name, labels=(name,), layers=layers, symbols=symbols)
    path = tmp_path / "hostile.html"
    path.write_text(render(Page(hostile, compare(hostile, view))), encoding="utf-8", newline="\n")
    for page in opened(browser, path):
        page.locator(".node").first.click()
        page.locator("#sizes .symbol").first.click()
        assert page.evaluate("window.hit") is None
        assert page.locator("img, iframe, object").count() == 0
        assert page.locator("h1").inner_text().startswith("</script><script>")


def test_nothing_can_be_fetched_or_run_later(browser: Any, compared: Path) -> None:
    context = browser.new_context(**context_options("desktop", "light"))
    page = context.new_page()
    page.goto(compared.as_uri())
    failures: list[str] = []
    page.on("requestfailed", lambda request: failures.append(request.failure))
    page.on("requestfinished", lambda request: failures.append("finished"))
    assert page.evaluate("fetch('https://example.org/').then(() => 'fetched', () => 'refused')") == "refused"
    page.evaluate(
        "() => { const late = document.createElement('script'); late.textContent = 'window.hit = 1';"
        " document.head.append(late); const image = new Image(); image.src = 'https://example.org/a.png';"
        " document.body.append(image); }"
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.hit") is None and set(failures) == {"csp"}
    context.close()


def test_printed_page_has_every_part(browser: Any, compared: Path) -> None:
    for page in opened(browser, compared):
        page.emulate_media(media="print")
        # Narrower than the window that it was drawn for, and than any drawing of its own.
        for width in (100, 700):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(50)
        assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
        assert page.locator(".network").bounding_box()["height"] > 300
        assert not page.locator("#sections").is_visible()


def test_choices_of_kernels(browser: Any, found: Artifact, tmp_path: Path) -> None:
    points = [point.to_json() for point in tradeoff(found.program)]
    chosen = collect(replace(found, report={**found.report, "tradeoff": points}), CostSource.PREDICTED)
    path = tmp_path / "choices.html"
    path.write_text(render(Page(chosen)), encoding="utf-8", newline="\n")
    for page in opened(browser, path):
        rows = page.locator("#tradeoff tbody tr")
        assert rows.count() == page.locator("#tradeoff .point").count() == len(points) > 1
        assert f"{found.program.plan.arena_size:,}" in rows.filter(has_text="this build").inner_text()
        assert page.locator("#tradeoff .point.chosen").count() == 1
        others = chosen.layers[0].others
        page.locator(".node").first.click()
        page.locator("#details summary").first.click()
        assert page.locator("#details .others li").count() == len(others) > 0
        assert others[0].reason in page.locator("#details .others").inner_text()
