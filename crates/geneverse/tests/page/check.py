"""The page in headless Chromium, against the program: `python check.py --program target/debug/geneverse [--out FOLDER]`.

Needs Playwright for Python and a Chromium: Playwright's own, or the system's (`--chromium`, or one on the PATH). It starts
the server at a free port with the bundled model, a database of the bundled records, a clustering of them, runs and an
adapter, does what a visitor does, and says what went wrong; nothing said is all well. Screenshots go into --out.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, Playwright, Route, expect, sync_playwright
from server import Server, prepare, step

HERE = Path(__file__).resolve().parent
FILES = HERE.parents[1] / "src" / "serve" / "page" / "files"
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
# A name without a space is looked up as a gene.
EVIL_NAME = "<img/src=x/onerror=alert(3)>"
# Chromium tells of every answer that is an error; these are asked for on purpose.
EXPECTED = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
# Before any script of the page: what breaks the policy, and how an answer grows.
WATCH = """
window.broken = [];
window.grown = [];
document.addEventListener("securitypolicyviolation", (event) => broken.push(`${event.violatedDirective}: ${event.blockedURI}`));
document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  const text = document.querySelector("#view-ask .answer-text");
  if (text?.getAttribute("aria-busy") === "true") grown.push(text.textContent.length);
}).observe(document.body, { subtree: true, childList: true, characterData: true }));
"""


class Visit:
    """A browser at the page, and all that it must not do."""

    def __init__(self, browser: Browser, address: str, from_disk: bool, *, scheme: str = "light",
                 size: tuple[int, int] = (1280, 900)) -> None:
        self.address, self.wrong = address, []
        self.context = browser.new_context(color_scheme=scheme, viewport={"width": size[0], "height": size[1]},
                                           reduced_motion="reduce")
        self.context.add_init_script(WATCH)
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.context.on("request", self.asked)
        self.page.on("console", self.told)
        self.page.on("pageerror", lambda error: self.wrong.append(f"a fault in the page: {error}"))
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        if from_disk:
            self.page.route(re.compile(re.escape(address) + r"/(page/.*)?$"), self.file)

    def file(self, route: Route) -> None:
        """Files as they lie in the source, under the headers of the program."""
        name = route.request.url.rsplit("/", 1)[1] or "index.html"
        kind = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[name.rsplit(".", 1)[1]]
        headers = self.page.request.get(f"{self.address}/").headers | {"content-type": f"{kind}; charset=utf-8"}
        headers.pop("content-length", None)
        route.fulfill(headers=headers, body=(FILES / name).read_bytes())

    def asked(self, request) -> None:
        if not request.url.startswith((self.address + "/", "data:", "blob:")):
            self.wrong.append(f"asks elsewhere: {request.url}")

    def told(self, message) -> None:
        if message.type in ("error", "warning") and not EXPECTED.match(message.text):
            self.wrong.append(f"the console tells: {message.text}")

    def open(self, view: str = "ask") -> Page:
        self.page.goto(f"{self.address}/#{view}")
        expect(self.page.locator(f"#view-{view}")).to_be_visible()
        return self.page

    def audit(self, what: str) -> None:
        for finding in self.page.evaluate((HERE / "audit.js").read_text()):
            self.wrong.append(f"{what}: {finding}")

    def end(self) -> list[str]:
        self.wrong += [f"breaks the policy: {broken}" for broken in self.page.evaluate("() => window.broken")]
        self.context.close()
        return self.wrong


def view(page: Page, name: str):
    return page.locator(f"#view-{name}")


def answered(page: Page, name: str, count: int = 1) -> None:
    expect(view(page, name).locator(".answer-text[aria-busy=false]")).to_have_count(count, timeout=60_000)


def ask(visit: Visit) -> None:
    """An answer streams, its edits and claims are shown, its record and neighbours beside it."""
    page = visit.open()
    own = view(page, "ask")
    own.get_by_label("Let the model read the record first").check()
    own.get_by_label("Model", exact=True).select_option("nano")
    own.get_by_label("A gene, or a question").fill("GLI")
    own.get_by_role("button", name="Ask", exact=True).click()
    answered(page, "ask")
    expect(own.locator(".record")).to_contain_text("GLI family zinc finger 1")
    expect(own.locator(".record")).to_contain_text("GLI is another symbol of GLI1")
    # The base model says little with a record before it; to this it says much, and identifiers that are wrong.
    own.get_by_label("Let the model read the record first").uncheck()
    own.get_by_label("A gene, or a question").fill("Tell what the gene GLI1 is, with its identifiers from HGNC, Ensembl and OMIM")
    page.evaluate("() => { window.grown.length = 0; }")
    own.get_by_role("button", name="Ask", exact=True).click()
    expect(own.locator(".answer > .meta")).to_contain_text("96 tokens", timeout=60_000)
    answered(page, "ask")
    grown = page.evaluate("() => [...new Set(window.grown)]")
    assert len(grown) > 5 and grown == sorted(grown), f"the answer grew so: {grown}"
    expect(own.locator(".answer > .meta")).to_contain_text(re.compile(r"\d+ tokens in [\d.]+ s"))
    expect(own.locator(".edits li").first).to_be_visible()
    expect(own.locator(".answer-text del").first).to_be_visible()
    expect(own.locator(".answer-text ins").first).to_be_visible()
    own.get_by_role("button", name="Show without marks").click()
    expect(own.locator(".answer-text del")).to_have_count(0)
    claim = own.locator(".claim", has=page.locator("button")).first
    claim.locator("button").click()
    expect(own.locator(".record .hit").first).to_be_visible()
    expect(own.locator(".near li")).to_have_count(12)
    colours = page.evaluate("""() => {
        const canvas = document.querySelector(".plane canvas");
        const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
        return new Set(pixels).size;
    }""")
    assert colours > 20, f"the plane has {colours} colours"
    # From a neighbour to its own record.
    own.locator(".near button").first.click()
    expect(own.locator(".record h2")).to_contain_text(own.get_by_label("A gene, or a question").input_value())
    answered(page, "ask")


def unknown(visit: Visit) -> None:
    """Of a gene that is none the model is not asked."""
    page = visit.open()
    own = view(page, "ask")
    own.get_by_label("A gene, or a question").fill("GLI11")
    own.get_by_label("A gene, or a question").press("Enter")
    expect(own.get_by_role("status").first).to_contain_text("knows no gene GLI11, so the model is not asked")
    expect(own.locator(".answer")).to_be_hidden()
    # An alias of two genes is not guessed at.
    own.get_by_label("A gene, or a question").fill("FAD")
    own.get_by_label("A gene, or a question").press("Enter")
    expect(own.get_by_role("status").first).to_contain_text("Several genes go by FAD")
    expect(own.get_by_role("button", name="PSEN1", exact=True)).to_be_visible()
    own.get_by_role("button", name="GLI1", exact=True).first.click()
    expect(own.locator(".record")).to_contain_text("GLI family zinc finger 1")
    answered(page, "ask")


def markup(visit: Visit) -> None:
    """What a visitor, a model or a record says is text, whatever is in it."""
    page = visit.open()
    own = view(page, "ask")
    own.get_by_label("A gene, or a question").fill(EVIL_NAME)
    own.get_by_label("A gene, or a question").press("Enter")
    expect(own).to_contain_text(f"no gene {EVIL_NAME}")

    def say(route: Route) -> None:
        claim = {"kind": "other", "text": EVIL, "verdict": "contradicted", "field": "name", "record": EVIL}
        checked = {"text": f"{EVIL} it is.", "genes": ["GLI1"], "unknown": [EVIL], "notes": [EVIL], "claims": [claim],
                   "edits": [{"what": EVIL, "from": EVIL, "to": EVIL}], "identifiers": [{"text": EVIL, "gene": EVIL}]}
        events = [{"choices": [{"delta": {"content": EVIL}}]}, {"choices": [{"delta": {"content": " it was."}, "finish_reason": "stop"}]},
                  {"choices": [], "geneverse": checked}]
        body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        route.fulfill(content_type="text/event-stream", body=body)

    def tell(route: Route) -> None:
        record = {"symbol": EVIL, "name": EVIL, "kind": EVIL, "aliases": [EVIL], "summary": {"text": EVIL}}
        route.fulfill(json={"query": EVIL, "found": "approved", "record": record})

    page.route("**/v1/chat/completions", say)
    page.route("**/genes/*", tell)
    own.get_by_label("A gene, or a question").fill("What is that?")
    own.get_by_label("A gene, or a question").press("Enter")
    answered(page, "ask")
    expect(own.locator(".answer-text")).to_contain_text(f"{EVIL} it")
    expect(own.locator(".record .summary")).to_have_text(EVIL)
    expect(own.locator(".edits")).to_contain_text(EVIL)
    expect(own.locator(".claim")).to_contain_text(EVIL)
    assert page.locator("main img:not(.shown img), main script").count() == 0, "text has become markup"


def keyboard(visit: Visit) -> None:
    """All of it without a mouse, and where one stands is seen."""
    page = visit.open()
    focused = "() => document.activeElement.textContent.trim() || document.activeElement.id"
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "To the content", page.evaluate(focused)

    def tab_to(selector: str) -> None:
        for _ in range(60):
            if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                break
            page.keyboard.press("Tab")
        else:
            raise AssertionError(f"{selector} is not reached by the keyboard")
        width, style = page.evaluate("""() => {
            const { outlineWidth, outlineStyle } = getComputedStyle(document.activeElement);
            return [parseFloat(outlineWidth), outlineStyle];
        }""")
        assert width >= 2 and style != "none", f"where one stands is not seen at {selector}"

    tab_to("#view-ask input[type=text]")
    page.keyboard.type("CASP10")
    page.keyboard.press("Enter")
    answered(page, "ask")
    expect(view(page, "ask").locator(".record")).to_contain_text("caspase 10")
    tab_to("#view-ask .answer summary")
    before = view(page, "ask").locator(".answer details").first.get_attribute("open")
    page.keyboard.press("Enter")
    assert view(page, "ask").locator(".answer details").first.get_attribute("open") != before, "a part does not open"
    page.evaluate("() => document.querySelector('.brand').focus()")
    tab_to("nav a[data-view=compare]")
    page.keyboard.press("Enter")
    expect(page.locator("#title-compare")).to_be_focused()
    assert page.title().startswith("Compare answers"), page.title()
    tab_to("#view-compare input[type=checkbox]")
    page.keyboard.press("Space")


def compare(visit: Visit) -> None:
    """Base, finetuned and retrieval stand side by side."""
    page = visit.open("compare")
    own = view(page, "compare")
    own.get_by_label("A gene, or a question").fill("What does TP53 do?")
    own.get_by_role("button", name="Compare").click()
    answered(page, "compare", 3)
    heads = own.locator(".answer h2").all_text_contents()
    assert heads == ["nano (base)", "tuned (finetuned)", "tuned + record (retrieval)"], heads
    boxes = [card.bounding_box() for card in own.locator(".answer").all()]
    tops, lefts = {round(box["y"]) for box in boxes}, [box["x"] for box in boxes]
    assert len(tops) == 1 and lefts == sorted(set(lefts)), f"the answers do not stand side by side: {boxes}"


def see(visit: Visit, structure: Path) -> None:
    """A structure that is dropped is drawn; what is none is told; a tissue is drawn by gene and type."""
    page = visit.open("see")
    own = view(page, "see")
    transfer = page.evaluate_handle("""(text) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([text], "one.pdb"));
        return transfer;
    }""", structure.read_text())
    own.locator(".drop").dispatch_event("drop", {"dataTransfer": transfer})
    image = own.locator(".shown img")
    expect(image).to_be_visible()
    assert page.evaluate("() => document.querySelector('.shown img').decode().then(() => document.querySelector('.shown img').naturalWidth)") == 512
    expect(own.locator("figcaption")).to_contain_text(re.compile(r"\d+ residues · 1 chain"))
    first = image.get_attribute("src")
    own.get_by_role("button", name="Turn sideways").click()
    expect(image).not_to_have_attribute("src", first)
    expect(own).to_contain_text("reads text only")
    chosen = own.locator("input[type=file]")
    chosen.set_input_files({"name": "notes.pdb", "mimeType": "text/plain", "buffer": EVIL.encode()})
    expect(own.get_by_role("alert")).to_contain_text("expected a PDB file")
    table = "cell,x,y,cell_type,GLI1,SHH\n" + "".join(
        f"c{n},{n % 20 * 10},{n // 20 * 10},{'T cell' if n % 3 else 'B cell'},{n % 5},{n % 7}\n" for n in range(400))
    chosen.set_input_files({"name": "cells.csv", "mimeType": "text/csv", "buffer": table.encode()})
    own.get_by_label("Cell type").select_option("T cell")
    expect(own.locator("figcaption")).to_contain_text("400 cells, 2 genes, 2 cell types")
    expect(own.locator("figcaption")).to_contain_text("in T cell")


def runs(visit: Visit, folder: Path) -> None:
    """Runs are listed, a loss grows while its log does, a report opens as a stranger."""
    page = visit.open("runs")
    own = view(page, "runs")
    expect(own.get_by_role("row")).to_have_count(3)
    row = own.get_by_role("row", name=re.compile("^training"))
    expect(row).to_contain_text("training")
    expect(own.get_by_role("row", name=re.compile("^done"))).to_contain_text("finished")
    row.get_by_role("link").click()
    curve = own.get_by_role("img", name=re.compile("Loss by step"))
    expect(curve).to_have_attribute("aria-label", re.compile("step 5$"))
    with (folder / "training" / "metrics.jsonl").open("a") as log:
        for number in range(6, 21):
            log.write(step(number, number / 50))
            log.flush()
        log.write('{"step":21,"epoch":0.4,"loss":1.0')
        log.flush()
        expect(curve).to_have_attribute("aria-label", re.compile("step 20$"))
        log.write("}\n")
    expect(curve).to_have_attribute("aria-label", re.compile("step 21$"))
    points = page.evaluate("() => document.querySelector('.curve polyline').getAttribute('points').split(' ').length")
    assert points == 21, f"the curve has {points} points"
    expect(own.locator(".answer-head .live")).to_be_visible()
    own.get_by_role("link", name="All runs").click()
    with visit.context.expect_page() as opened:
        own.get_by_role("link", name=re.compile("^Report of done")).click()
    report = opened.value
    for _ in range(100):
        if "could" in report.title() or "kept" in report.title():
            break
        time.sleep(0.05)
    assert report.title() == "could not ask, could not keep", report.title()
    report.close()


def doors(browser: Browser, address: str, from_disk: bool, structure: Path) -> list[str]:
    """A server with keys is opened by one, which is not kept beyond the tab; its model is asked what it sees."""
    visit = Visit(browser, address, from_disk)
    page = visit.page
    page.goto(f"{address}/#see")
    expect(page.get_by_role("heading", name="This server asks for a key")).to_be_visible()
    visit.audit("the door")
    for key in ("wrong", "secret"):
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Open").click()
        if key == "wrong":
            expect(page.get_by_role("alert")).to_contain_text("none of this server's")
    own = view(page, "see")
    own.locator("input[type=file]").set_input_files(structure)
    expect(own.get_by_label("Question")).to_have_value(re.compile("name of this protein"))
    own.get_by_role("button", name="Ask", exact=True).click()
    answered(page, "see")
    expect(own.locator(".answer > .meta")).to_contain_text(re.compile(r"\d+ tokens? in [\d.]+ s"))
    visit.audit("a model that sees")
    kept = page.evaluate("() => [localStorage.length, document.cookie, sessionStorage.length]")
    assert kept == [0, "", 1], kept
    return visit.end()


def looks(browser: Browser, address: str, from_disk: bool, folder: Path, out: Path) -> list[str]:
    """Every view in light and dark, on a phone and on a desk: seen as a whole, names and contrast right."""
    wrong = []
    for scheme in ("light", "dark"):
        for size in ((1280, 900), (390, 844)):
            visit = Visit(browser, address, from_disk, scheme=scheme, size=size)
            for name in ("ask", "see", "compare", "runs"):
                page = visit.open(name)
                what = f"{name}-{scheme}-{size[0]}"
                if name == "ask":
                    visit.audit(f"{what}, empty")
                    page.screenshot(path=out / f"empty-{scheme}-{size[0]}.png")
                    view(page, "ask").get_by_label("Let the model read the record first").check()
                    view(page, "ask").get_by_label("Model", exact=True).select_option("nano")
                if name in ("ask", "compare"):
                    view(page, name).get_by_role("button", name="GLI1", exact=True).click()
                    answered(page, name, 1 if name == "ask" else 3)
                if name == "see":
                    view(page, name).locator("input[type=file]").set_input_files(folder / "proteins" / "0003.pdb")
                    expect(view(page, name).locator(".shown img")).to_be_visible()
                if name == "runs":
                    visit.audit(f"{what}, list")
                    view(page, name).get_by_role("link", name="done", exact=True).click()
                    expect(view(page, name).locator(".curve polyline").first).to_be_visible()
                page.mouse.move(0, 0)
                visit.audit(what)
                page.screenshot(path=out / f"{what}.png", full_page=True)
            wrong += [f"{scheme}, {size[0]} pixels: {text}" for text in visit.end()]
    return wrong


@contextlib.contextmanager
def chromium(playwright: Playwright, path: str | None) -> Iterator[Browser]:
    """Playwright's own Chromium, else the system's."""
    found = path or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    # In a container there is no namespace to put a sandbox into; the page comes from this repository.
    browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
    try:
        yield browser
    finally:
        browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=Path, required=True, help="the program to test")
    parser.add_argument("--out", type=Path, help="a folder for screenshots")
    parser.add_argument("--chromium", help="the browser's program")
    parser.add_argument("--from-disk", action="store_true", help="take the page's files from the source, not from the program")
    parser.add_argument("--only", default="", help="checks with this word in their name")
    arguments = parser.parse_args()
    program, done, failed, begun = arguments.program.resolve(), 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        out = arguments.out or folder / "screenshots"
        out.mkdir(parents=True, exist_ok=True)
        prepare(program, folder)
        given = ["--db", "genes.db"]
        all_given = [*given, "--adapter", "tuned=adapter", "--clusters", "clusters", "--runs", "runs"]

        def judge(name: str, check) -> None:
            nonlocal failed, done
            if arguments.only not in name:
                return
            done += 1
            since = time.monotonic()
            try:
                wrong = check()
            except (AssertionError, Error) as error:
                wrong = [str(error)]
            failed += bool(wrong)
            print(f"{'FAILED' if wrong else 'ok'} {name} ({time.monotonic() - since:.1f} s)", flush=True)
            for text in wrong:
                print(f"    {text}", flush=True)

        def visited(check, *more):
            def run() -> list[str]:
                visit = Visit(browser, server.address, arguments.from_disk)
                try:
                    check(visit, *more)
                finally:
                    wrong = visit.end()
                return wrong
            return run

        with chromium(playwright, arguments.chromium) as browser:
            with Server(program, folder, *all_given) as server:
                judge("an answer streams, is checked, and has its record and neighbours", visited(ask))
                judge("a gene that is none", visited(unknown))
                judge("what is said is text", visited(markup))
                judge("by keyboard", visited(keyboard))
                judge("side by side", visited(compare))
                judge("structures and tissues", visited(see, folder / "proteins" / "0003.pdb"))
                judge("runs, a live loss, a report", visited(runs, folder / "runs"))
                judge("light and dark, phone and desk",
                      lambda: looks(browser, server.address, arguments.from_disk, folder, out))
            with Server(program, folder, *given, model=folder / "llava", keys="secret") as server:
                judge("a key, and a model that sees",
                      lambda: doors(browser, server.address, arguments.from_disk, folder / "proteins" / "0003.pdb"))
    print(f"{failed} of {done} checks failed, {time.monotonic() - begun:.0f} s")
    return 1 if failed or not done else 0


if __name__ == "__main__":
    sys.exit(main())
