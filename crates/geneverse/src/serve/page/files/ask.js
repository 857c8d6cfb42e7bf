// Ask about a gene: the answer as it comes, its record beside it, and what is near it.

import { answerCard } from "./answer.js";
import { choice, el, field, fill, notice } from "./dom.js";
import { isName, lookUp } from "./gene.js";
import { planeCard } from "./plane.js";
import { recordCard } from "./record.js";

export function start(content, about) {
  const input = el("input", { type: "text", autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "search", required: true });
  // Who has trained an adapter wants to hear it.
  const preferred = (about.models.find((model) => model.adapter) ?? about.models[0]).id;
  const model = choice(about.models.map((known) => known.id), preferred);
  const retrieve = el("input", { type: "checkbox" });
  const submit = el("button", { class: "primary", type: "submit" }, "Ask");
  const said = el("div");
  const record = recordCard();
  const plane = about.plane ? planeCard((symbol) => begin(symbol)) : null;
  const answer = answerCard("Answer", { onfield: record.point });
  answer.element.hidden = true;
  let turn = 0;

  const form = el(
    "form",
    {
      role: "search",
      "aria-label": "Ask",
      onsubmit: (event) => {
        event.preventDefault();
        begin(input.value);
      },
    },
    el(
      "div",
      { class: "row" },
      field("A gene, or a question", input, null, true),
      about.models.length > 1 ? field("Model", model) : null,
      submit,
    ),
    about.database
      ? el("div", { class: "checks" }, el("label", {}, retrieve, "Let the model read the record first"))
      : null,
  );
  const examples = about.database?.examples ?? ["GLI1", "TP53", "BRCA1"];
  const chips = el("div", { class: "chips" }, el("span", {}, "Try"),
    examples.map((symbol) => el("button", { type: "button", class: "chip", onclick: () => begin(symbol) }, symbol)));
  const lead = about.database
    ? "The model answers; identifiers are then put right from the database, and each claim is held against the record."
    : "The model answers. This server has no database, so nothing it says is checked; start it with --db to have that.";
  const empty = el("div", { class: "empty" }, el("p", {}, "Type a symbol, an alias or an identifier, such as GLI1, or ask a whole question."));
  fill(
    content,
    el("p", { class: "lead" }, lead),
    el("div", { class: "card" }, form, chips),
    said,
    empty,
    el("div", { class: "beside" },
      answer.element,
      el("div", { class: "stack" }, record.element, plane?.element)),
  );

  async function begin(text) {
    const asked = text.trim();
    if (!asked) return;
    turn += 1;
    const own = turn;
    input.value = asked;
    answer.stop();
    fill(said);
    empty.hidden = true;
    record.hide();
    plane?.hide();
    let question = asked;
    let symbol = null;
    if (isName(asked)) {
      symbol = asked;
      if (about.database) {
        const { found, said: why } = await lookUp(asked, begin);
        if (own !== turn) return;
        if (!found) {
          answer.element.hidden = true;
          fill(said, why);
          return;
        }
        symbol = found.record.symbol;
        record.show(found);
        showPlane(symbol, own);
      }
      question = about.questions.gene.replace("{gene}", symbol);
    }
    answer.element.hidden = false;
    const told = await answer.ask({
      model: model.value, question, check: Boolean(about.database), retrieve: retrieve.checked,
    });
    // Whom a question was about is known when it was checked.
    const [gene] = told?.checked?.genes ?? [];
    if (own !== turn || symbol || !gene) return;
    const { found } = await lookUp(gene, begin);
    if (own !== turn || !found) return;
    record.show(found);
    showPlane(gene, own);
  }

  function showPlane(symbol, own) {
    // Not every gene was clustered.
    plane?.show(symbol).catch((error) => {
      if (own === turn && error.status !== 404) fill(said, notice("error", error.message));
    });
  }

  return {};
}
