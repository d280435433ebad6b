"""What everybody can read and reach: contrast as Chromium renders it, the keyboard, names."""

from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_control_panel import metric
from tests.browser.visits import Visit

WIDE: Final = {"width": 1280, "height": 900}
SOON: Final = 15_000  # ms
# Contrast of each piece of text with what lies behind it, as WCAG 2.2 defines it:
# https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio and #dfn-relative-luminance. Colours that shine
# through are laid over those behind them; text of 24 px, or 18.66 px and bold, and icons need 3,
# other text 4.5. Not asked of what is disabled or hidden (1.4.3: incidental).
_LOW: Final = r"""() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((k) => top[k] * top[3] + under[k] * (1 - top[3]));
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map(
      (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (el) => {
    const layers = [];
    for (let at = el; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3]) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const low = {}; let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const el = node.parentElement, said = node.textContent.trim();
    if (!said || el.closest('script,style,noscript,[disabled],[aria-disabled=true],svg')) continue;
    if (!el.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const box = el.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const style = getComputedStyle(el), behind = ground(el);
    let colour = rgba(style.color), opacity = colour[3];
    for (let at = el; at; at = at.parentElement) opacity *= getComputedStyle(at).opacity;
    const text = over([...colour.slice(0, 3), opacity], behind);
    const [a, b] = [light(text), light(behind)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), bold = style.fontWeight >= 700;
    const icon = style.fontFamily.includes('Material'), ratio = (a + 0.05) / (b + 0.05);
    const need = icon || size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
    seen += 1;
    const pair = `${style.color} on ${behind.map(Math.round)}: ${ratio.toFixed(2)}`;
    if (ratio < need) low[pair] = said.slice(0, 40);
  }
  return {low, seen};
}"""
_NAMELESS: Final = r"""() => [...document.querySelectorAll(
    'button,a[href],input:not([type=hidden]),select,textarea,[role=button],[tabindex="0"][role]')]
  .filter((el) => el.checkVisibility() && !el.closest('[aria-hidden=true]'))
  .filter((el) => {
    const by = (el.getAttribute('aria-labelledby') || '').split(' ').map(
      (id) => document.getElementById(id)?.textContent || '').join('');
    const icon = [...el.querySelectorAll('[data-testid=stIconMaterial]')].map(
      (one) => one.textContent).join('');
    const words = el.innerText?.replace(icon, '').trim();
    return !(words || el.getAttribute('aria-label') || by.trim() || el.title || el.labels?.length
      || el.querySelector('[aria-label],img[alt]'));
  }).map((el) => el.outerHTML.slice(0, 200))"""

# which button has the keyboard
_FOCUSED: Final = (
    "(({tagName, innerText}) => tagName === 'BUTTON' ? innerText : '')(document.activeElement)"
)


def low(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(_LOW)
    assert found["seen"] > 40
    return dict(found["low"])


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_word_stands_out_and_every_control_has_a_name(
    console: str, browser: Browser, scheme: str
) -> None:
    visit = Visit(browser, console, viewport=WIDE, locale="ko-KR", color_scheme=scheme)
    page = visit.page
    found: dict[str, Any] = {}
    nameless: list[str] = []
    for path in ("", "/alerts", "/logs", "/settings", "/jobs", "/monitoring"):
        page.goto(console + path, wait_until="domcontentloaded")
        page.get_by_test_id("stHeading").first.wait_for(timeout=30_000)
        expect(page.locator(".st-key-emergency_stop button")).to_be_visible()
        page.wait_for_timeout(1_500)  # the parts with a timer are there
        found |= {f"{path} {where}": said for where, said in low(page).items()}
        nameless += [f"{path}: {html}" for html in page.evaluate(_NAMELESS)]
    visit.close()
    assert found == {}
    assert nameless == []


def test_the_keyboard_alone_stops_trading(console: str, browser: Browser) -> None:
    """From the top of the page: each stop is seen, Enter presses."""
    visit = Visit(browser, console, viewport=WIDE, locale="en-US")
    page = visit.page
    expect(metric(page, "Last heartbeat")).to_contain_text("ago", timeout=SOON)
    reached: list[str] = []
    for wanted in ("Emergency stop", "Stop trading"):
        for _ in range(45):
            page.keyboard.press("Tab")
            reached.append(page.evaluate(_FOCUSED))
            if wanted in reached[-1]:
                break
        assert wanted in reached[-1], reached
        assert page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement);"
            "return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2"
            "})()"
        ), wanted
        if wanted == "Emergency stop":
            page.keyboard.press("Enter")
            expect(metric(page, "Trading state")).to_contain_text("halted", timeout=SOON)
    visit.close()
