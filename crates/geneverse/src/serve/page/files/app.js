// The page's frame: asks the server what it has, for a key if it wants one, and shows one view at a time.
//
// api.js asks the server, dom.js makes elements, a file for each view makes what is in it:
// ask.js (answer.js, record.js, plane.js), see.js, compare.js, runs.js (curve.js).

import { get, key, keepKey } from "./api.js";
import { el, field, fill, notice } from "./dom.js";
import { count } from "./words.js";
import * as ask from "./ask.js";
import * as see from "./see.js";
import * as compare from "./compare.js";
import * as runs from "./runs.js";

const VIEWS = { ask, see, compare, runs };
const door = document.getElementById("door");
const shown = new Map();
let about = null;

/** The view that the address names, and what stands after it. */
function place() {
  const [view, ...rest] = decodeURIComponent(location.hash.slice(1)).split("/");
  return [view in VIEWS ? view : "ask", rest.join("/")];
}

function show(moved) {
  if (!about) return;
  const [view, rest] = place();
  for (const name of Object.keys(VIEWS)) {
    const section = document.getElementById(`view-${name}`);
    section.hidden = name !== view;
    const link = document.querySelector(`nav a[data-view="${name}"]`);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (name !== view) shown.get(name)?.leave?.();
  }
  const section = document.getElementById(`view-${view}`);
  const title = section.querySelector("h1");
  document.title = `${title.textContent} – Geneverse`;
  if (!shown.has(view)) shown.set(view, VIEWS[view].start(section.querySelector(".content"), about));
  shown.get(view).enter?.(rest);
  if (moved) title.focus();
}

/** Asks for the key. */
function knock(failed) {
  const input = el("input", { type: "password", autocomplete: "off", required: true });
  const submit = (event) => {
    event.preventDefault();
    keepKey(input.value.trim());
    begin();
  };
  const form = el(
    "form",
    { class: "card stack", onsubmit: submit },
    el("h1", { tabindex: "-1" }, "This server asks for a key"),
    field("API key", input, "It is kept in this tab only, and sent to this server only."),
    failed && key() ? notice("error", failed) : null,
    el("div", { class: "row" }, el("button", { class: "primary", type: "submit" }, "Open")),
  );
  fill(door, form);
  door.hidden = false;
  input.focus();
}

async function begin() {
  try {
    about = await get("/about");
  } catch (error) {
    if (error.status === 401) return knock("The key is none of this server's.");
    fill(door, notice("error", error.message), el("button", { type: "button", onclick: begin }, "Try again"));
    door.hidden = false;
    return;
  }
  door.hidden = true;
  fill(door);
  const names = about.models.map((model) => model.id).join(", ");
  const genes = about.database ? `${count(about.database.genes, "gene")} in the database` : "no database";
  fill(
    document.getElementById("about"),
    `Geneverse ${about.version}, serving ${names}; ${genes}. All answers come from this server; a model can be wrong.`,
  );
  show(false);
}

addEventListener("hashchange", () => show(true));
begin();
