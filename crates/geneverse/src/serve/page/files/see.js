// Show a structure, a tissue or a picture, and ask the model what it sees. The server draws what is no picture yet, as
// models have seen it in training.

import { packed, post } from "./api.js";
import { answerCard } from "./answer.js";
import { choice, el, field, fill, fresh, notice } from "./dom.js";
import { count } from "./words.js";

const PICTURES = /\.(png|jpe?g)$/i;
const STRUCTURES = /\.(pdb|ent|cif|mmcif)(\.gz)?$/i;
const COLOURS = [["secondary", "Helix and strand"], ["rainbow", "From end to end"], ["chain", "Chain"], ["plddt", "Confidence (predictions)"]];
const LAYOUTS = [["hues", "Hues"], ["panels", "Two panels"], ["outline", "Rings"]];
const TURN = 45;

export function start(content, about) {
  const input = el("input", { type: "file", multiple: true });
  const drop = el("div", { class: "drop" },
    field("Choose files, or drop them here", input,
      "A structure (PDB or mmCIF), a picture (PNG or JPEG), or a tissue: a table of cells, with a 10x matrix where the counts are not in it. Gzipped or not."));
  const said = el("div", { "aria-live": "polite" });
  const image = el("img", { alt: "" });
  const caption = el("figcaption");
  const controls = el("div", { class: "row" });
  const figure = el("figure", { class: "shown" }, image, caption);
  const question = el("textarea", { rows: 3, required: true });
  const model = choice(about.models.map((known) => known.id), (about.models.find((known) => known.adapter) ?? about.models[0]).id);
  const answer = answerCard("Answer");
  answer.element.hidden = true;
  const ask = el(
    "form",
    {
      class: "card stack",
      onsubmit: (event) => {
        event.preventDefault();
        answer.element.hidden = false;
        answer.ask({ model: model.value, question: question.value, pictures: [image.src], check: Boolean(about.database) });
      },
    },
    field("Question", question),
    el("div", { class: "row" }, about.models.length > 1 ? field("Model", model) : null, el("button", { class: "primary", type: "submit" }, "Ask")),
  );
  const blind = notice("open", "The model that is served reads text only, so it cannot be asked about a picture. Serve one that sees: a LLaVA or a Qwen2.5-VL.");
  const shown = el("div", { class: "beside even", hidden: true },
    el("div", { class: "card stack" }, figure, controls),
    el("div", { class: "stack" }, about.sees ? [ask, answer.element] : blind));
  fill(content, el("p", { class: "lead" }, "The server draws structures and tissues as the model has seen them in training."), drop, said, shown);

  let turn = 0;
  input.addEventListener("change", () => take([...input.files]));
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });

  async function take(files) {
    if (!files.length) return;
    turn += 1;
    const own = turn;
    answer.stop();
    answer.element.hidden = true;
    shown.hidden = true;
    fill(said, notice("", `Reading ${files.map((file) => file.name).join(", ")}…`));
    try {
      const read = await Promise.all(files.map(packed));
      if (own !== turn) return;
      if (files.length === 1 && PICTURES.test(files[0].name)) picture(read[0]);
      else if (files.length === 1 && STRUCTURES.test(files[0].name)) await structure(read[0], own);
      else await tissue(read, own);
      if (own === turn) fill(said);
    } catch (error) {
      if (own === turn) fill(said, notice("error", error.message));
    }
  }

  function show(url, alt, words) {
    image.src = url;
    image.alt = alt;
    fill(caption, words);
    shown.hidden = false;
  }

  function picture(file) {
    fill(controls);
    question.value = "";
    show(file.url, `The picture ${file.name}`, file.name);
  }

  async function structure(file, own) {
    const colour = choice(COLOURS);
    const rotate = [0, 0, 0];
    const draw = async () => {
      const told = await post("/render/protein", { file: { name: file.name, data: file.data }, color: colour.value, rotate });
      if (own !== turn) return;
      const parts = [
        told.title ?? told.id, count(told.residues, "residue"), count(told.chains.length, "chain"),
        `${told.helix} in helices, ${told.strand} in strands`, told.predicted ? "a prediction" : null,
      ];
      show(told.picture, `Cartoon of ${told.title ?? told.id}`, parts.filter(Boolean).join(" · "));
    };
    const again = guarded(draw, own);
    colour.addEventListener("change", again);
    const turned = (axis, by) => () => {
      rotate[axis] = (rotate[axis] + by) % 360;
      again();
    };
    fill(controls, field("Colours tell", colour),
      el("button", { type: "button", onclick: turned(1, TURN) }, "Turn sideways"),
      el("button", { type: "button", onclick: turned(0, TURN) }, "Tip over"));
    question.value = about.questions.protein;
    await draw();
  }

  async function tissue(files, own) {
    const sent = files.map(({ name, data }) => ({ name, data }));
    const names = fresh("genes");
    const gene = el("input", { type: "text", list: names, autocomplete: "off", spellcheck: "false" });
    const layout = choice(LAYOUTS);
    let type = null;
    const draw = async () => {
      const wanted = type ? { gene: gene.value.trim(), type: type.value } : {};
      const told = await post("/render/tissue", { files: sent, layout: layout.value, ...wanted });
      if (own !== turn) return;
      if (!type) {
        type = choice(told.types, told.type);
        type.addEventListener("change", again);
        gene.value = told.gene;
        fill(controls, field("Gene", gene), field("Cell type", type), field("Shown as", layout),
          el("datalist", { id: names }, told.genes.map((name) => el("option", { value: name }))));
      }
      question.value = about.questions.marker.replace("{gene}", told.gene).replace("{type}", told.type);
      const words = `${count(told.cells, "cell")}, ${count(told.genes.length, "gene")}, ${count(told.types.length, "cell type")} · ${told.gene} in ${told.type}`;
      show(told.picture, `Tissue with ${told.gene} and cells of the type ${told.type}`, words);
    };
    const again = guarded(draw, own);
    gene.addEventListener("change", again);
    layout.addEventListener("change", again);
    await draw();
  }

  /** Draws again; where that fails it is said, and the picture stays. */
  function guarded(draw, own) {
    return async () => {
      fill(said);
      try {
        await draw();
      } catch (error) {
        if (own === turn) fill(said, notice("error", error.message));
      }
    };
  }

  return {};
}
