// An answer: how it comes, what was changed in it, and what the database says to what it claims.

import { chat } from "./api.js";
import { el, fill, notice } from "./dom.js";
import { count, difference } from "./words.js";

const VERDICTS = { supported: "in the record", contradicted: "against it", not_in_record: "not in it" };

/** A card that answers are shown in. `onfield` hears which field of the record is asked for; `brief` ones show what was changed
 *  and claimed when asked to. */
export function answerCard(title, { onfield, brief } = {}) {
  const heading = el("h2", {}, title);
  const stop = el("button", { type: "button", class: "link", hidden: true }, "Stop");
  const text = el("div", { class: "answer-text", role: "log", "aria-live": "polite", "aria-label": `Answer of ${title}` });
  const status = el("p", { class: "meta", role: "status" });
  const below = el("div");
  const head = el("div", { class: "answer-head" }, heading, stop);
  const element = el("article", { class: "card answer" }, head, text, status, below);
  let controller = null;
  stop.addEventListener("click", () => controller?.abort());

  /** Asks, and shows the answer as it comes. Returns what was told, or nothing where it was stopped or failed. */
  async function ask(request) {
    controller?.abort();
    const own = new AbortController();
    controller = own;
    fill(below);
    fill(text);
    text.classList.add("busy");
    text.setAttribute("aria-busy", "true");
    stop.hidden = false;
    status.textContent = "Asking…";
    const begun = performance.now();
    try {
      const told = await chat(
        request,
        (whole) => {
          if (own.signal.aborted) return;
          text.textContent = whole;
          status.textContent = "Answering…";
        },
        own.signal,
      );
      if (own !== controller) return null;
      finished(told, (performance.now() - begun) / 1000);
      return told;
    } catch (error) {
      if (own !== controller) return null;
      if (error.name === "AbortError") status.textContent = "Stopped.";
      else {
        status.textContent = "";
        fill(below, notice("error", error.message));
      }
      return null;
    } finally {
      if (own === controller) {
        text.classList.remove("busy");
        text.setAttribute("aria-busy", "false");
        stop.hidden = true;
      }
    }
  }

  function finished({ text: said, finish, checked, usage }, seconds) {
    const parts = [];
    if (usage) parts.push(`${count(usage.completion_tokens, "token")} in ${seconds.toFixed(1)} s`);
    if (finish === "length") parts.push("cut off at its longest");
    if (!said.trim()) fill(text, el("em", {}, "The model says nothing to this."));
    if (checked) {
      const unnamed = "no gene is named, so only identifiers were looked up";
      const none = checked.genes.length ? "no edit was needed" : unnamed;
      parts.push(checked.edits.length ? `${count(checked.edits.length, "edit")} made from the database` : none);
      showChecked(said, checked);
    }
    status.textContent = `${parts.join(" · ")}.`;
  }

  function showChecked(said, checked) {
    const marked = () => difference(said, checked.text).map(([kind, words]) =>
      kind === "same" ? words : el(kind === "in" ? "ins" : "del", {}, words));
    const changed = said.trim() !== checked.text.trim();
    if (changed) fill(text, marked());
    const rest = [];
    if (checked.unknown.length) {
      rest.push(notice("open", `The database knows no gene ${checked.unknown.join(", ")}: what is said of it cannot be held against anything.`));
    }
    if (changed) {
      const toggle = el("button", { type: "button", class: "link", "aria-pressed": "true" }, "Show without marks");
      let on = true;
      toggle.addEventListener("click", () => {
        on = !on;
        toggle.setAttribute("aria-pressed", String(on));
        toggle.textContent = on ? "Show without marks" : "Show what was changed";
        fill(text, on ? marked() : checked.text);
      });
      rest.push(toggle);
    }
    rest.push(edits(checked, !brief), claims(checked, onfield, !brief), identifiers(checked));
    fill(below, rest);
  }

  return { element, ask, stop: () => controller?.abort() };
}

function part(title, open, ...children) {
  return el("details", { open }, el("summary", {}, title), ...children);
}

function edits({ edits, notes }, open) {
  if (!edits.length && !notes.length) return null;
  const changes = edits.map(({ what, from, to }) =>
    el("li", {}, el("span", { class: "meta" }, what), el("span", {}, from ? el("del", {}, from) : null, from && to ? " → " : null, to ? el("ins", {}, to) : null)));
  const left = notes.map((note) => el("li", { class: "meta" }, note));
  return part(edits.length ? `${count(edits.length, "edit")}` : "What was left alone", open, el("ul", { class: "list edits" }, changes, left));
}

function claims({ claims }, onfield, open) {
  if (!claims.length) return null;
  const of = (verdict) => claims.filter((claim) => claim.verdict === verdict).length;
  const title = `${count(claims.length, "claim")}: ${of("supported")} in the record, ${of("contradicted")} against it, ${of("not_in_record")} not in it`;
  const items = claims.map(({ text, verdict, field, record }) => {
    const where = field ? field.replaceAll("_", " ") : null;
    const source = where && onfield
      ? el("button", { type: "button", class: "link meta", onclick: () => onfield(field) }, `see ${where}`)
      : el("span", { class: "meta" }, where ?? "");
    return el("li", { class: "claim" },
      el("span", { class: `mark ${verdict}` }, VERDICTS[verdict] ?? verdict),
      el("span", {}, text, record ? el("span", { class: "meta" }, ` (the record: ${record})`) : null, " ", source));
  });
  return part(title, open, el("ul", { class: "list" }, items));
}

function identifiers({ identifiers }) {
  if (!identifiers.length) return null;
  const items = identifiers.map(({ text, gene }) => el("li", {}, el("span", {}, el("code", {}, text), ` is ${gene}'s`)));
  return part(`${count(identifiers.length, "identifier")} looked up`, false, el("ul", { class: "list" }, items));
}
