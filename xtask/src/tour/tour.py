"""Three people use the pages, then every page is looked at: tour.py SETTINGS"""

import html
import json
import os
import re
import sys
import time
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import sync_playwright

told = json.loads(sys.argv[1])
base, pictures = told["base"], Path(told["pictures"])
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
WIDTHS = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 390, "height": 844}}
# Where somebody can go by the keyboard; a radio button stands for its group.
REACHABLE = """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
  .filter((it) => !it.disabled && it.checkVisibility({visibilityProperty: true}))"""
PAGES = {
    "affiliate@demo.example": [
        "/my", "/my/traffic", "/my/conversions", "/my/holds", "/my/rates", "/my/balance", "/my/links", "/my/campaigns", "/my/connections", "/settings",
        ("/my/conversions", "/my/conversions/"), ("/my/rates", "/my/rates/"), ("/my/links", "/my/links/"), ("/my/connections", "/my/postbacks/"),
        f"/my/campaigns/{told['campaign']}/materials",
    ],
    "team@demo.example": [
        "/team", "/team/partners", "/team/campaigns", "/team/rates", "/team/rates/decisions", "/team/rates/shadows", "/team/models",
        ("/team/partners", "/team/partners/"), ("/team/campaigns", "/team/campaigns/"),
        (("/team/campaigns", "/team/campaigns/"), "/team/campaigns/"),
        f"/team/campaigns/{told['campaign']}/materials",
    ],
    "analyst@demo.example": [
        "/team/cases", "/team/cases?state=decided", "/team/rings", "/team/rules", "/team/lists", ("/team/rules", "/team/rules/"), "/sign-in/link",
    ],
}


def sign_in(context, email):
    """By the keyboard, as it is faster."""
    page = context.new_page()
    page.goto(f"{base}/sign-in")
    page.locator("input[name=email]").focus()
    page.keyboard.type(email)
    page.keyboard.press("Tab")
    page.keyboard.type(told["password"])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url)
    return page


def number(page, name):
    return int(re.sub(r"\D", "", page.locator(f"[data-value={name}]").inner_text()) or 0)


def say(sentence):
    print(f"  {sentence}", flush=True)


def until(what, holds, seconds=30):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def told_of(page):
    """What was sent was taken in, and the next page says so."""
    page.locator("[role=status]").first.wait_for()


def watch(page):
    page.goto(f"{base}/my")
    page.evaluate("window.isTheSame = true")
    clicks, conversions = number(page, "clicks"), number(page, "conversions")
    until("clicks rise on an open page", lambda: clicks < number(page, "clicks"))
    until("conversions rise on an open page", lambda: conversions < number(page, "conversions"), 150)
    assert page.evaluate("window.isTheSame"), "the page was loaded again"
    Path(told["seen"]).touch()
    say("clicks and conversions rise on an open page")


def build_a_link(page):
    page.goto(f"{base}/my/links")
    page.locator("input[name=code]").fill("tour")
    page.locator("details summary").first.click()
    page.locator("input[name=utm_source]").fill("tour")
    page.locator("input[name=sub1]").fill("<b>shelf</b>")
    page.locator("form[action='/my/links'] button").click()
    page.wait_for_url(re.compile("/my/links/lnk_"))
    assert page.locator("img, svg").count(), "a link has a picture to be printed"
    visited = lambda: page.request.get(f"{base}/c/tour", max_redirects=0, headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/144.0"})
    until("the new link leads on", lambda: visited().status == 302)
    assert "utm_source=tour" in visited().headers["location"], visited().headers["location"]
    page.goto(f"{base}/my/traffic?by=sub1")
    until("what was typed stays text", lambda: page.goto(page.url) and "<b>shelf</b>" in page.locator("main").inner_text())
    say("a link is built, leads on, and its sub-id stays text")


def read_a_rate(page):
    page.goto(f"{base}/my/rates")
    page.locator("main a[href^='/my/rates/']").first.click()
    page.wait_for_url(re.compile("/my/rates/."))
    words = page.locator("main").inner_text()
    assert page.locator("ul.reasons li").count(), f"a rate has reasons: {words}"
    say("a rate says why")


def connect(page):
    page.goto(f"{base}/my/connections")
    page.locator("input[name=url]").fill("https://tracker.example/in?cid={sub1}&payout={payout}")
    page.locator("form[action='/my/connections/postbacks'] button").click()
    page.wait_for_url(re.compile("/my/postbacks/ppb_"))
    page.locator("form[action$='/test'] button").click()
    told_of(page)
    tried = page.locator("tbody tr").first.inner_text()
    assert "payout=10.00" in tried and "could not be reached" in tried, f"nobody has a tracker under that name: {tried}"
    page.goto(f"{base}/my/connections")
    page.locator("input[name=name]").fill("Tracker")
    page.locator("form[action='/my/connections/keys'] button").click()
    key = page.locator("[role=status] code").inner_text()
    links = lambda: page.request.get(f"{base}/api/v1/links", headers={"Authorization": f"Bearer {key}"}).status
    assert links() == 200, "a key that was just made is let in"
    page.locator("form[action$='/revoke'] button").first.click()
    told_of(page)
    assert links() == 401, "a key that was revoked is not"
    say("a postback is entered and tried, and a key is made, used and revoked")


def advertise(team, partner):
    team.goto(f"{base}/team/campaigns/{told['campaign']}/materials")
    picture = team.screenshot(clip={"x": 0, "y": 0, "width": 300, "height": 100})
    team.locator("select[name=kind]").select_option("banner")
    team.locator("input[name=name]").fill("Winter banner")
    team.locator("textarea[name=text]").fill("Tents in the <snow>")
    team.locator("input[name=image]").set_input_files({"name": "banner.png", "mimeType": "image/png", "buffer": picture})
    team.locator("form[enctype] button").click()
    told_of(team)
    partner.goto(f"{base}/my/campaigns/{told['campaign']}/materials")
    shown = partner.locator("img.preview").first
    until("the banner is shown", lambda: shown.evaluate("(it) => it.complete && it.naturalWidth") == 300)
    code = partner.locator("textarea").first.input_value()
    assert "Tents in the &lt;snow&gt;" in code, code
    link = html.unescape(re.search('href="([^"]+)"', code).group(1))
    followed = partner.request.get(link, max_redirects=0, headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/144.0"})
    assert followed.status == 302 and "utm_content=mat_" in link, f"{followed.status}: {link}"
    say("a banner is added, and copied with the partner's own link in it")


def ask(page):
    page.goto(f"{base}/team/cases")
    page.locator(f"main a[href^='/team/cases/{told['case']}']").first.click()
    form = page.locator("form:has(input[name=act][value=ask])")
    form.locator("textarea").fill("When was the cart filled?")
    form.locator("button").click()
    told_of(page)
    assert "When was the cart filled?" in page.locator("main").inner_text()
    say("an analyst asks the partner")


def appeal(page):
    page.goto(f"{base}/my/holds")
    page.locator(f"main a[href='/my/conversions/{told['held']}']").first.click()
    page.wait_for_url(re.compile("/my/conversions/cnv_"))
    assert "When was the cart filled?" in page.locator("main").inner_text(), "the partner reads what it is asked"
    page.locator("textarea[name=evidence]").fill("The customer had the cart open since Monday.")
    page.locator("form.stack button").click()
    told_of(page)
    assert "had the cart open" in page.locator("main").inner_text()
    say("a partner answers a hold")


def invite(page):
    page.goto(f"{base}/team/campaigns/{told['campaign']}")
    button = page.locator("button[aria-label^='Invite']").first
    name = button.get_attribute("aria-label")
    button.click()
    told_of(page)
    assert not page.locator(f"button[aria-label='{name}']").count(), "who is invited is not proposed any more"
    say("a partner who suits is invited")


def decide(page):
    page.goto(f"{base}/team/cases/{told['case']}")
    assert "had the cart open" in page.locator("main").inner_text(), "the partner's answer is beside its case"
    page.locator("body").press("r")
    assert page.evaluate("document.activeElement.name") == "reason", "r leads to the form that turns it down"
    page.keyboard.press("Tab")
    page.keyboard.type("Nobody orders so soon.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    told_of(page)
    say("a case is decided by keys alone")


def without_scripts(browser):
    context = browser.new_context(java_script_enabled=False)
    page = sign_in(context, "affiliate@demo.example")
    for path in PAGES["affiliate@demo.example"]:
        if isinstance(path, str):
            page.goto(f"{base}{path}")
            assert page.locator("main h1").inner_text(), f"{path} is empty without scripts"
    page.goto(f"{base}/my")
    assert 0 < number(page, "clicks")
    context.close()
    say("pages work without scripts")


def walk(page, path):
    """Every place that can be used is reached by Tab, and the first is the way past the menu."""
    page.locator("body").evaluate("(body) => { document.activeElement.blur(); window.scrollTo(0, 0) }")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip", f"{path}: the first place is no way past the menu"
    wanted = page.evaluate(f"() => {{ window.wanted = ({REACHABLE})(); window.reached = new Set(); return window.wanted.length }}")
    for _ in range(2 * wanted + 10):
        page.evaluate("window.reached.add(document.activeElement)")
        page.keyboard.press("Tab")
    radio = "it.type === 'radio' && window.wanted.some((other) => other.name === it.name && window.reached.has(other))"
    missed = page.evaluate(f"window.wanted.filter((it) => !window.reached.has(it) && !({radio})).map((it) => it.outerHTML.slice(0, 120))")
    assert not missed, f"{path}: never reached by the keyboard: {missed}"


def judge(page, path, name):
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})")
    bad = [it for it in found["violations"] if it["impact"] in ("serious", "critical")]
    lines = [f"{it['id']}: {it['help']}: {[node['html'][:160] for node in it['nodes'][:3]]}" for it in bad]
    assert not bad, f"{path} ({name}): axe-core says\n" + "\n".join(lines)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{path} ({name}): {wide} px are beside the screen"


def found(page, path):
    """The address itself, or the first link of such a page on another, which may be found so itself."""
    if isinstance(path, str):
        return path
    page.goto(f"{base}{found(page, path[0])}")
    return page.locator(f"main a[href^='{path[1]}']").first.get_attribute("href")


def look(browser, email):
    looked = 0
    for size, viewport in WIDTHS.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
            page = sign_in(context, email)
            problems = []
            page.on("console", lambda it: it.type == "error" and problems.append(it.text))
            page.on("pageerror", lambda it: problems.append(str(it)))
            for path in PAGES[email]:
                path = found(page, path)
                page.goto(f"{base}{path}")
                name = re.sub(r"[^a-z]+", "-", re.sub(r"[a-z]+_[0-9A-Za-z]{20,}", "one", path)).strip("-")
                page.screenshot(path=pictures / f"{name}-{size}-{scheme}.png", full_page=True)
                judge(page, path, f"{size}, {scheme}")
                if scheme == "light":
                    walk(page, path)
                looked += 1
            assert not problems, f"the browser complains: {problems}"
            context.close()
    return looked


def tour(browser, partner, team, analyst):
    watch(partner)
    build_a_link(partner)
    read_a_rate(partner)
    connect(partner)
    advertise(team, partner)
    ask(analyst)
    appeal(partner)
    invite(team)
    decide(analyst)
    without_scripts(browser)
    looked = sum(look(browser, email) for email in PAGES)
    say(f"{looked} views of pages, wide and narrow, light and dark: axe-core finds nothing serious, and keys reach everything")


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox", "--disable-dev-shm-usage"])
    partner, team, analyst = (sign_in(browser.new_context(), f"{who}@demo.example") for who in ("affiliate", "team", "analyst"))
    # What an open page looked like when something went wrong.
    try:
        tour(browser, partner, team, analyst)
    except BaseException:
        for place, page in enumerate(page for context in browser.contexts for page in context.pages):
            page.screenshot(path=pictures / f"failed-{place}.png", full_page=True)
        raise
    browser.close()
