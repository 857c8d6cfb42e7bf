// The page's script: sorts tables, and shows questions as they are asked for.
//
// Whatever comes from data is set as text or as a property, never as markup.
"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const put = (parent, ...nodes) => {
    parent.append(...nodes.filter((node) => node !== null));
    return parent;
  };

  // ---- tables ----

  // Missing values stay last, whichever way is up; equal rows stay in the order they have.
  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    if (body.rows.length < 2) return;
    const key = (row, column) => {
      const cell = row.cells[column];
      if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
      const text = cell.textContent.trim();
      return text === "–" ? null : text;
    };
    heads.forEach((head, column) => {
      const button = make("button", "sort", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const rows = [...body.rows];
        const numeric = rows.some((row) => typeof key(row, column) === "number");
        const now = head.getAttribute("aria-sort");
        // The best first where there are numbers, A first where there are names.
        const next = now === "none" ? (numeric ? "descending" : "ascending")
          : now === "ascending" ? "descending" : "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", next);
        const way = next === "ascending" ? 1 : -1;
        rows.sort((a, b) => {
          const [x, y] = [key(a, column), key(b, column)];
          if (x === null || y === null) return (x === null) - (y === null);
          return way * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y)));
        });
        body.append(...rows);
      });
    });
  };
  document.querySelectorAll("table.sortable").forEach(sortable);

  // ---- questions: what is known of all of them ----

  if (!at("index")) return;
  const index = JSON.parse(at("index").textContent);
  const { models, splits, starts } = index;
  const questions = index.questions.map(([split, subject, cellType, grades], place) =>
    ({ place, split, subject, cellType, grades }));
  const PAGE = 50;
  // Positions in a model's entry of the index.
  const TRUTH = 0, FORM = 1, ROUGE = 2, CONTRADICTED = 3, WRONG_IDENTIFIERS = 4;

  // ---- questions: the rest, a piece at a time ----

  // A piece is a line of JSON for each question. Lines are kept as they are, and one is taken apart when it is wanted.
  const KEPT = 24;
  const kept = new Map();
  const fromBase64 = (text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const letters = atob(text);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i += 1) bytes[i] = letters.charCodeAt(i);
    return bytes;
  };
  const unpack = async (node) => {
    if (node.dataset.packed === undefined) return node.textContent;
    if (typeof DecompressionStream === "undefined") {
      throw new Error("this browser cannot unpack the questions; a newer one can");
    }
    const bytes = fromBase64(node.textContent);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  const piece = (number) => {
    const known = kept.get(number);
    kept.delete(number);
    const read = known || unpack(at("piece-" + number)).then((text) => text.trim().split("\n"));
    kept.set(number, read);
    // The piece unused for longest goes.
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
    return read;
  };
  const pieceOf = (place) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= place) low = middle; else high = middle - 1;
    }
    return low;
  };
  const details = async (place) => {
    const number = pieceOf(place);
    return JSON.parse((await piece(number))[place - starts[number]]);
  };

  // ---- which are shown ----

  const field = (id) => at("filter-" + id);
  const value = (id) => (field(id) ? field(id).value : "");
  const shownModels = () => {
    const boxes = [...document.querySelectorAll("#shown input")];
    return boxes.length ? boxes.filter((box) => box.checked).map((box) => Number(box.value)) : models.map((_, i) => i);
  };
  const graded = (grade) => grade !== null && grade.length > 0;
  const passes = {
    pass: (g) => g[TRUTH] >= 0.5 && g[FORM] >= 0.5,
    fail: (g) => g[TRUTH] < 0.5 || g[FORM] < 0.5,
    true: (g) => g[TRUTH] >= 0.5,
    untrue: (g) => g[TRUTH] < 0.5,
    formed: (g) => g[FORM] >= 0.5,
    unformed: (g) => g[FORM] < 0.5,
    contradicted: (g) => g[CONTRADICTED] > 0,
    identifiers: (g) => g[WRONG_IDENTIFIERS] > 0,
  };
  const compared = (question) => {
    const model = value("model");
    const of = model === "" ? shownModels() : [Number(model)];
    return of.map((i) => question.grades[i]).filter((grade) => grade !== null);
  };
  const fits = (question) => {
    if (value("split") !== "" && question.split !== Number(value("split"))) return false;
    const answers = compared(question);
    if (answers.length === 0) return false;
    const wanted = value("grade");
    if (wanted === "") return true;
    if (wanted === "differ") {
      const all = shownModels().map((i) => question.grades[i]).filter((g) => g !== null && graded(g));
      const kinds = new Set(all.map((g) => (g[TRUTH] >= 0.5) + " " + (g[FORM] >= 0.5)));
      return kinds.size > 1;
    }
    return answers.some((grade) => graded(grade) && passes[wanted](grade));
  };
  const ordered = (list) => {
    const order = value("order");
    if (order === "") return list;
    const overlaps = (question) => compared(question).filter(graded).map((grade) => grade[ROUGE]);
    const mean = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
    const keys = new Map(list.map((question) => {
      if (order === "subject") return [question, question.subject];
      const numbers = order === "spread"
        ? shownModels().map((i) => question.grades[i]).filter((g) => g !== null && graded(g)).map((g) => g[ROUGE])
        : overlaps(question);
      if (numbers.length === 0) return [question, null];
      return [question, order === "spread" ? Math.max(...numbers) - Math.min(...numbers) : mean(numbers)];
    }));
    const way = order === "low" || order === "subject" ? 1 : -1;
    return [...list].sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return way * (typeof x === "number" ? x - y : x.localeCompare(y));
    });
  };

  let found = questions;
  let page = 0;
  let search = 0;
  const counted = (count) => count.toLocaleString("en");
  const said = (list, more) => {
    const all = counted(questions.length);
    const some = list.length === questions.length ? all + " questions" : counted(list.length) + " of " + all + " questions";
    at("count").textContent = some + (more || "");
  };

  // Texts are looked through a piece at a time, so that the page goes on answering; a newer search ends an older one.
  const look = async (first) => {
    const own = ++search;
    const candidates = ordered(questions.filter(fits));
    const words = value("text").toLowerCase().split(/\s+/).filter((word) => word !== "");
    page = first || 0;
    if (words.length === 0) {
      found = candidates;
      said(found);
      show();
      return;
    }
    const waiting = new Map();
    for (const question of candidates) {
      const number = pieceOf(question.place);
      waiting.set(number, (waiting.get(number) || []).concat([question]));
    }
    // What a word looks like in a line of JSON, where a few letters are written otherwise.
    const inJson = (word) => {
      const text = JSON.stringify(word).slice(1, -1);
      const escaped = text.replace(/[<>&\u2028\u2029]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
      return (line) => line.includes(text) || line.includes(escaped);
    };
    const tests = words.map(inJson);
    const matching = new Set();
    let done = 0;
    try {
      for (const [number, list] of [...waiting].sort((a, b) => a[0] - b[0])) {
        const lines = await piece(number);
        if (own !== search) return;
        for (const question of list) {
          const line = lines[question.place - starts[number]];
          const whole = line.toLowerCase();
          if (!tests.every((test) => test(whole))) continue;
          // The line has grades and the names of its fields too: what counts is what was asked and said.
          const full = JSON.parse(line);
          const answers = shownModels().map((i) => (full.answers[i] ? full.answers[i].text : ""));
          const parts = [full.subject, full.cell_type, full.id, full.prompt, full.reference, ...answers];
          const text = parts.join("\n").toLowerCase();
          if (words.every((word) => text.includes(word))) matching.add(question.place);
        }
        done += 1;
        if (done < waiting.size) at("count").textContent = "looking: " + Math.round((100 * done) / waiting.size) + " %";
      }
    } catch (error) {
      at("count").textContent = String(error.message || error);
      return;
    }
    found = candidates.filter((question) => matching.has(question.place));
    said(found);
    show();
  };

  // ---- the list ----

  const marks = (grade, name) => {
    const node = make("span", "marks");
    if (name) put(node, make("span", "who", name));
    if (!graded(grade)) return put(node, make("span", "mark", "not graded"));
    const mark = (score, yes, no) => {
      const good = score >= 0.5;
      const whole = score === 0 || score === 1;
      return make("span", "mark " + (good ? "yes" : "no"), (good ? "✓ " + yes : "✗ " + no) + (whole ? "" : " " + score.toFixed(2)));
    };
    return put(node, mark(grade[TRUTH], "true", "not true"), mark(grade[FORM], "well formed", "ill formed"));
  };
  const titleOf = (question) => question.cellType ? question.subject + " in " + question.cellType : question.subject;

  const row = (question) => {
    const item = make("li");
    item.id = "item-" + question.place;
    const button = make("button", "open");
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-controls", "detail-" + question.place);
    const subject = put(make("span", "subject"), make("span", "", titleOf(question)));
    if (splits.length > 1 && value("split") === "") put(subject, make("small", "", splits[question.split]));
    put(button, subject);
    const all = make("span", "all");
    for (const i of shownModels()) {
      if (question.grades[i] !== null) put(all, marks(question.grades[i], models.length > 1 ? models[i] : ""));
    }
    put(button, all);
    const detail = make("div", "detail");
    detail.id = "detail-" + question.place;
    detail.hidden = true;
    button.addEventListener("click", () => toggle(question, button, detail));
    return put(item, put(make("h3"), button), detail);
  };
  const toggle = async (question, button, detail) => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    detail.hidden = !open;
    if (!open) return;
    try { history.replaceState(null, "", "#item-" + question.place); } catch (_) { /* not from disk in every browser */ }
    if (detail.childElementCount > 0) return;
    try {
      fill(detail, question, await details(question.place));
    } catch (error) {
      detail.replaceChildren(make("p", "warning", String(error.message || error)));
    }
  };
  const show = () => {
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    at("items").replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(row));
    at("items").start = page * PAGE + 1;
    at("pager").hidden = pages < 2;
    at("page").textContent = "Page " + counted(page + 1) + " of " + counted(pages);
    at("previous").disabled = page === 0;
    at("next").disabled = page === pages - 1;
  };
  const turn = (by) => {
    page += by;
    show();
    at("questions").scrollIntoView();
    const first = document.querySelector("#items button");
    if (first) first.focus({ preventScroll: true });
  };

  // ---- one question ----

  const labelled = (name, node) => put(make("div", "part"), make("h4", "", name), node);
  const paragraph = (text, name) => make("p", name || "text", text.trim() === "" ? "(empty)" : text);

  const fill = (detail, question, full) => {
    const asked = make("div", "asked");
    put(asked, labelled("Question", paragraph(full.prompt)));
    if (full.picture) put(asked, labelled("Picture", picture(full.picture, question)));
    if (full.cell_type) put(asked, labelled("Cell type", paragraph(full.cell_type)));
    if (full.label) put(asked, labelled("True label", paragraph(full.label)));
    put(asked, labelled("Reference", paragraph(full.reference, "text reference")));
    const cards = make("div", "cards");
    for (const i of shownModels()) {
      if (full.answers[i]) put(cards, card(models[i], full.answers[i], question.grades[i]));
    }
    detail.replaceChildren(asked, cards);
  };
  const picture = ([path, shown], question) => {
    if (typeof shown !== "number") return make("p", "note", path + " (" + shown + ")");
    const image = make("img");
    image.alt = "The picture shown with the question about " + titleOf(question);
    image.loading = "lazy";
    image.src = at("picture-" + shown).textContent;
    return put(make("figure"), image, make("figcaption", "note", path));
  };
  const card = (model, answer, grade) => {
    const node = make("article", "card");
    node.setAttribute("aria-label", model);
    put(node, put(make("h4"), make("span", "", model), marks(grade, "")));
    put(node, answer.diff ? changed(answer.diff) : paragraph(answer.text));
    if (answer.edits) put(node, edits(answer.edits, Boolean(answer.diff)));
    if (answer.reasons) put(node, reasons(answer));
    if (answer.claims) put(node, claims(answer.claims));
    return node;
  };
  const changed = (diff) => {
    const node = make("p", "text");
    for (let i = 0; i < diff.length; i += 2) {
      const tag = { "-": "del", "+": "ins" }[diff[i]];
      // Without a break "old" and "new" would be one long word to the line breaker.
      if (i > 0 && diff[i] === "+" && diff[i - 2] === "-") put(node, make("wbr"));
      put(node, tag ? make(tag, "", diff[i + 1]) : document.createTextNode(diff[i + 1]));
    }
    return node;
  };
  const edits = (list, different) => {
    if (list.length === 0) return make("p", "note", different ? "Repaired." : "Nothing to repair.");
    const node = make("details");
    put(node, make("summary", "", list.length === 1 ? "1 edit" : list.length + " edits"));
    const all = make("ul", "why");
    for (const [what, from, to] of list) {
      const line = put(make("li"), document.createTextNode(what + ": "), make("del", "", from));
      if (to !== "") put(line, document.createTextNode(" "), make("ins", "", to));
      put(all, line);
    }
    return put(node, all);
  };
  const reasons = (answer) => {
    const all = make("ul", "why");
    answer.reasons.forEach((reason) => put(all, make("li", "", reason)));
    const overlaps = answer.overlaps.map(([name, score]) => name + " " + score.toFixed(3)).join(", ");
    if (overlaps !== "") put(all, make("li", "", overlaps));
    const [right, written] = answer.identifiers;
    if (written > 0) put(all, make("li", "", right + " of " + written + " identifiers right"));
    return all;
  };
  const claims = (list) => {
    const kind = (verdict) => verdict.startsWith("support") ? "yes" : verdict.startsWith("contra") ? "no" : "unknown";
    const counts = new Map();
    list.forEach(([, verdict]) => counts.set(verdict, (counts.get(verdict) || 0) + 1));
    const told = [...counts].map(([verdict, count]) => count + " " + verdict).join(", ");
    const node = put(make("details"), make("summary", "", (list.length === 1 ? "1 claim: " : list.length + " claims: ") + told));
    const all = make("ul", "claims");
    const sign = { yes: "✓ ", no: "✗ ", unknown: "– " };
    for (const [text, verdict, why, about] of list) {
      const line = put(make("li"), make("span", "mark " + kind(verdict), sign[kind(verdict)] + verdict), make("span", "claim", text));
      const note = [about, why].filter((part) => part !== "").join(": ");
      if (note !== "") put(line, make("span", "note", note));
      put(all, line);
    }
    return put(node, all);
  };

  // ---- begin ----

  let pause = 0;
  for (const input of document.querySelectorAll("#filters input, #filters select")) {
    input.addEventListener(input.type === "search" ? "input" : "change", () => {
      clearTimeout(pause);
      pause = setTimeout(look, input.type === "search" ? 200 : 0);
    });
  }
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("previous").addEventListener("click", () => turn(-1));
  at("next").addEventListener("click", () => turn(1));
  at("filters").hidden = false;

  // An address that ends in #item-12 opens that question.
  const visit = async () => {
    const wanted = /^#item-(\d+)$/.exec(location.hash);
    if (!wanted || Number(wanted[1]) >= questions.length) return false;
    const question = questions[Number(wanted[1])];
    if (!found.includes(question)) return false;
    page = Math.floor(found.indexOf(question) / PAGE);
    show();
    const button = at("item-" + question.place).querySelector("button");
    button.click();
    at("item-" + question.place).scrollIntoView();
    return true;
  };
  addEventListener("hashchange", visit);
  look().then(visit);
})();
