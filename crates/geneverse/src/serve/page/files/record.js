// A gene's record, field by field.

import { el, fill } from "./dom.js";

const ASPECTS = { molecular_function: "Function", biological_process: "Process", cellular_component: "Component" };
const texts = (list) => (list?.length ? list.join(", ") : null);

/** A card that shows a record, and can point at one of its fields. */
export function recordCard() {
  const element = el("aside", { class: "card record", "aria-label": "The gene's record", hidden: true });

  function show({ query, found, alias, record }) {
    const row = (name, term, value) =>
      value ? [el("dt", { "data-field": name }, term), el("dd", { "data-field": name, tabindex: "-1" }, value)] : [];
    const terms = (aspect) => texts((record.go_terms ?? []).filter((term) => term.aspect === aspect).map((term) => term.name));
    const other = found !== "approved" && alias ? el("p", { class: "hint" }, `${query} is another symbol of ${record.symbol}.`) : null;
    fill(
      element,
      el("h2", {}, record.symbol, " ", el("span", { class: "mark plain" }, "record")),
      el("p", { "data-field": "name", tabindex: "-1" }, record.name),
      other,
      record.summary?.text ? el("p", { class: "summary", "data-field": "summary", tabindex: "-1" }, record.summary.text) : null,
      el(
        "dl",
        {},
        row("kind", "Kind", record.locus_type ?? record.kind?.replaceAll("_", " ")),
        row("location", "Location", record.location),
        row("aliases", "Aliases", texts(record.aliases)),
        row("previous_symbols", "Formerly", texts(record.previous_symbols)),
        row("groups", "Groups", texts(record.groups)),
        Object.entries(ASPECTS).map(([aspect, term]) => row(aspect, term, terms(aspect))),
        row("pathways", "Pathways", texts(record.pathways)),
        row("expression", "Expression", record.expression),
        row("hgnc_id", "HGNC", record.hgnc_id),
        row("entrez_id", "Entrez", record.entrez_id),
        row("ensembl_id", "Ensembl", record.ensembl_id),
        row("uniprot_ids", "UniProt", texts(record.uniprot_ids)),
        row("omim_ids", "OMIM", texts(record.omim_ids)),
        row("orthologs", "Orthologs", texts(record.orthologs)),
        row("refseq_status", "RefSeq", record.refseq_status),
      ),
    );
    element.hidden = false;
  }

  /** Shows where a claim's field stands. */
  function point(field) {
    const terms = Object.keys(ASPECTS);
    const own = { go: terms, go_terms: terms, alias: ["aliases"], other_names: ["name"], locus_type: ["kind"] };
    const all = [...element.querySelectorAll("[data-field]")];
    for (const part of all) part.classList.remove("hit");
    const word = field.toLowerCase().replaceAll(" ", "_");
    const names = [word, `${word}s`, `${word}_id`, `${word}_ids`, ...(own[word] ?? [])];
    const found = all.filter((part) => names.includes(part.dataset.field));
    for (const part of found) part.classList.add("hit");
    const first = found.find((part) => part.tabIndex === -1 && part.tagName !== "DT") ?? element.querySelector("h2");
    if (found.length) first.focus({ preventScroll: true });
    first.scrollIntoView({ block: "center", behavior: "auto" });
  }

  function hide() {
    element.hidden = true;
    fill(element);
  }

  return { element, show, hide, point };
}
