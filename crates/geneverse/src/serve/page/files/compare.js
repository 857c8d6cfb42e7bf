// One question to several: the base model, what was trained beside it, and each with the record before it.

import { answerCard } from "./answer.js";
import { el, field, fill, notice } from "./dom.js";
import { isName, lookUp } from "./gene.js";

export function start(content, about) {
  const input = el("input", { type: "text", autocomplete: "off", spellcheck: "false", required: true });
  const ways = about.models.flatMap(({ id, adapter }) => {
    const kind = adapter ? "finetuned" : "base";
    const alone = { model: id, title: `${id} (${kind})`, retrieve: false };
    return about.database ? [alone, { model: id, title: `${id} + record (retrieval)`, retrieve: true }] : [alone];
  });
  const adapted = about.models.some((model) => model.adapter);
  const usual = (way) => {
    const first = about.models.find((model) => model.adapter) ?? about.models[0];
    return (!way.retrieve && (way.model === about.models[0].id || way.model === first.id)) || (way.retrieve && way.model === first.id);
  };
  for (const way of ways) way.box = el("input", { type: "checkbox", checked: usual(way) });
  const said = el("div");
  const columns = el("div", { class: "columns" });
  const empty = el("div", { class: "empty" }, el("p", {}, "The answers will stand side by side, each checked by the same database."));
  const examples = about.database?.examples ?? [];
  let cards = [];
  let turn = 0;

  const form = el(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        begin(input.value);
      },
    },
    el("div", { class: "row" }, field("A gene, or a question", input, null, true), el("button", { class: "primary", type: "submit" }, "Compare")),
    el("fieldset", {}, el("legend", {}, "Who is asked"),
      el("div", { class: "checks" }, ways.map((way) => el("label", {}, way.box, way.title)))),
  );
  const chips = examples.length
    ? el("div", { class: "chips" }, el("span", {}, "Try"), examples.map((symbol) =>
      el("button", { type: "button", class: "chip", onclick: () => begin(symbol) }, symbol)))
    : null;
  const missing = [
    adapted ? null : "an adapter (--adapter NAME=DIR) for a finetuned answer",
    about.database ? null : "a database (--db) for answers with the record before them",
  ].filter(Boolean);
  fill(
    content,
    el("p", { class: "lead" }, "The same question to a base model, to what was finetuned from it, and to a model that reads the record first."),
    el("div", { class: "card" }, form, chips, missing.length ? el("p", { class: "hint" }, `Start the server with ${missing.join(" and ")}.`) : null),
    said,
    empty,
    columns,
  );

  async function begin(text) {
    const asked = text.trim();
    if (!asked) return;
    input.value = asked;
    for (const card of cards) card.stop();
    fill(said);
    const chosen = ways.filter((way) => way.box.checked);
    if (!chosen.length) return fill(said, notice("open", "Choose at least one who is asked."));
    turn += 1;
    const own = turn;
    let question = asked;
    if (isName(asked)) {
      const { found, said: why } = about.database ? await lookUp(asked, begin) : {};
      if (own !== turn) return;
      if (why) {
        fill(columns);
        return fill(said, why);
      }
      question = about.questions.gene.replace("{gene}", found?.record.symbol ?? asked);
    }
    empty.hidden = true;
    cards = chosen.map(({ model, title, retrieve }) => {
      const card = answerCard(title, { brief: true });
      card.ask({ model, question, retrieve, check: Boolean(about.database) });
      return card;
    });
    fill(columns, cards.map((card) => card.element));
  }

  return {};
}
