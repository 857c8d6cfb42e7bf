// Who goes by a name.

import { get, part } from "./api.js";
import { el, notice } from "./dom.js";

/**
 * What the database knows by a name: its answer with the record of one gene; where it is none or several, `said` is what to
 * tell, with buttons for those that may be meant, which `onask` hears of.
 */
export async function lookUp(name, onask) {
  const choose = (message, symbols) => {
    const chip = (symbol) => el("button", { type: "button", class: "chip", onclick: () => onask(symbol) }, symbol);
    return { said: [notice("open", message), el("div", { class: "chips" }, symbols.map(chip))] };
  };
  try {
    const found = await get(`/genes/${part(name)}`);
    if (found.record) return { found };
    return choose(`Several genes go by ${name}. Which one is meant?`, found.candidates.map((candidate) => candidate.symbol));
  } catch (error) {
    if (error.status !== 404) return { said: notice("error", error.message) };
    const near = error.more.near ?? [];
    const also = near.length ? " Near it are:" : "";
    return choose(`The database knows no gene ${name}, so the model is not asked: it would say something all the same.${also}`, near);
  }
}

/** Whether a text is one word, which is looked up, and no question. */
export function isName(text) {
  return !/\s/.test(text);
}
