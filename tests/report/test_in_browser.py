"""The page in a real browser: on a screen in light and dark, on a phone, in print; no network, no script, no error."""

from __future__ import annotations

import copy
import io
import re
from pathlib import Path

import pytest
from browser import Browser, find_browser
from documents import BARE, CERTIFICATE, DEPLOYED, MANIFEST, PICTURE
from PIL import Image

from tfser.report.page import SECTIONS, render

DESKTOP, PHONE = 1280, 360
LEAST_CONTRAST = 4.5  # WCAG 2.2, level AA

#: Contrast of each text against what lies below it, the least ten: composes every background that is not opaque.
CONTRAST = """(() => {
  const context = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d',
    {willReadFrequently: true});
  const paint = colors => {
    context.clearRect(0, 0, 1, 1);
    for (const color of colors) { context.fillStyle = color; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = rgb => rgb.map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text || ['title', 'STYLE'].includes(element.tagName) || !element.getClientRects().length) continue;
    const below = [], group = element.closest('svg g'), box = group && group.querySelector('rect');
    if (box) below.push(getComputedStyle(box).fill);
    for (let at = element; at; at = at.parentElement) below.push(getComputedStyle(at).backgroundColor);
    const own = element instanceof SVGElement ? getComputedStyle(element).fill : getComputedStyle(element).color;
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= getComputedStyle(at).opacity;
    const ground = ['white', ...below.reverse()];
    const [one, two] = [light(paint(ground)), light(paint([...ground, own]))];
    const ratio = opacity < 1 ? 0 : (Math.max(one, two) + .05) / (Math.min(one, two) + .05);
    found.push([Math.round(ratio * 100) / 100, text.slice(0, 30)]);
  }
  return found.sort((a, b) => a[0] - b[0]).slice(0, 10);
})()"""

#: Elements that reach beyond the window's right side and cannot be scrolled to inside of their parents.
CUT_OFF = """[...document.querySelectorAll('body *')].filter(element => {
  if (element.closest('.scroll') !== null && !element.matches('.scroll')) return false;
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.right > document.documentElement.clientWidth + .5;
}).map(element => element.tagName + '.' + element.className)"""


def whole() -> dict:
    """A build with everything, names that are long, and a budget that is not kept."""
    manifest = copy.deepcopy({**MANIFEST, "deployed": DEPLOYED})
    long = "encoder_layer_with_a_name_that_does_not_end/" + "attention_scores_and_more_" * 3
    manifest["plan"]["graph"][1]["layer"] = "block1/" + long
    manifest["files"][long] = "12" * 32
    manifest["size"]["largest_weights"][0]["name"] = long
    manifest["size"]["groups"]["functions"][0]["name"] = long
    manifest["split"]["test"].append("a_speaker_whose_name_is_very_long_and_has_no_space_anywhere")
    manifest["size"]["budget"][1].update(used=700, ok=False, text="ram 700 B > 500 B; largest: " + long)
    manifest["size"]["budget"].append({"resource": "instructions", "used": None, "limit": 9, "unit": "instructions",
                                       "kind": "not measured", "origin": long, "ok": False, "text": "not measured"})
    return manifest


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium (Debian: apt-get install chromium)")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module", params=["whole", "bare"])
def page(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    documents = (whole(), CERTIFICATE, PICTURE) if request.param == "whole" else (BARE, None, None)
    path.write_text(render(*documents), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_it_loads_nothing_and_complains_about_nothing(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    asked = [event["params"]["request"]["url"] for event in browser.events
             if event.get("method") == "Network.requestWillBeSent"]
    assert asked == [page.resolve().as_uri()]
    said = [event for event in browser.events
            if event.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")]
    assert said == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_every_text_can_be_read(browser, page, width, dark):
    browser.open(page, width=width, dark=dark)
    least = browser.evaluate(CONTRAST)
    assert least
    assert least[0][0] >= LEAST_CONTRAST, least


def test_a_text_that_cannot_be_read_is_found(browser, page, tmp_path):
    worse = page.read_text(encoding="utf-8").replace("--soft: #5a6675", "--soft: #8a96a5")
    (tmp_path / "worse.html").write_text(worse, encoding="utf-8")
    browser.open(tmp_path / "worse.html", width=DESKTOP)
    assert browser.evaluate(CONTRAST)[0][0] < LEAST_CONTRAST


@pytest.mark.parametrize("width", [DESKTOP, 800, 600, PHONE])
def test_nothing_reaches_beyond_the_window(browser, page, width):
    browser.open(page, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    assert browser.evaluate(CUT_OFF) == []


def test_no_table_has_to_be_scrolled_on_a_phone(browser, page):
    browser.open(page, width=PHONE)
    wide = """[...document.querySelectorAll('.scroll')].filter(e => e.querySelector('table')
              && e.scrollWidth > e.clientWidth).map(e => e.innerText.slice(0, 60))"""
    assert browser.evaluate(wide) == []


def test_light_and_dark_differ_and_the_page_is_drawn(browser, page):
    grounds = []
    for dark in (False, True):
        browser.open(page, width=DESKTOP, dark=dark)
        picture = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
        assert picture.width == DESKTOP
        assert picture.height == browser.evaluate("document.documentElement.scrollHeight")
        assert len(picture.getcolors(1 << 20) or ()) > 20
        grounds.append(picture.getpixel((2, 2)))
    assert grounds == [(255, 255, 255), (17, 21, 27)]


def test_it_is_the_same_without_script(browser, page):
    browser.open(page, width=DESKTOP)
    first = browser.screenshot()
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page, width=DESKTOP)
        assert browser.screenshot() == first
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_headings_and_tables_are_marked_up_for_screen_readers(browser, page):
    browser.open(page, width=DESKTOP)
    levels = browser.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert levels.count(2) == len(SECTIONS)
    unscoped = "[...document.querySelectorAll('th:not([scope])')].length"
    untitled = "[...document.querySelectorAll('svg[role=img]')].filter(s => !s.querySelector(':scope > title')).length"
    unnamed = "[...document.querySelectorAll('svg:not([role=img]):not([aria-hidden=true])')].length"
    assert [browser.evaluate(script) for script in (unscoped, untitled, unnamed)] == [0, 0, 0]
    assert browser.evaluate("document.documentElement.lang") == "en"


def test_links_lead_to_the_sections(browser, page):
    browser.open(page, width=DESKTOP)
    dead = "[...document.querySelectorAll('nav a')].filter(a => !document.querySelector(a.getAttribute('href'))).length"
    assert browser.evaluate(dead) == 0


def test_print_has_every_section_and_cuts_nothing(browser, page):
    browser.open(page, width=DESKTOP, dark=True)
    pdf = browser.pdf()
    assert pdf.startswith(b"%PDF-")
    pages = max(int(count) for count in re.findall(rb"/Count (\d+)", pdf))
    assert 1 <= pages <= 12
    across, down = map(float, re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)", pdf)[0])
    assert (across, down) == pytest.approx((595, 842), abs=1.5)  # A4 in points
    # In print a window as wide as the paper between its margins.
    browser.call("Emulation.setDeviceMetricsOverride", width=680, height=1000, deviceScaleFactor=1, mobile=False)
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.evaluate("document.documentElement.scrollWidth") == 680
    wide = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    assert browser.evaluate(wide) == 0
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate(CONTRAST)[0][0] >= LEAST_CONTRAST


def test_the_page_is_small(page):
    assert len(page.read_bytes()) < 200_000
