// Elements from values. What comes from a model, a file or the server only ever becomes the text of an element.

// The name of a vocabulary, not an address: nobody is asked there.
const SVG = "http://www.w3.org/2000/svg";

/** An element: its attributes, what it hears (`onclick: …`), and what is in it; texts become text. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  fill(element, ...children);
  return element;
}

/** The same of SVG. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, attributes);
  fill(element, ...children);
  return element;
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Puts other children into an element. */
export function fill(element, ...children) {
  const whole = children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false);
  element.replaceChildren(...whole);
}

let number = 0;

/** A name that no other element has. */
export function fresh(name) {
  number += 1;
  return `${name}-${number}`;
}

/** A control with its label, and a hint if there is one. */
export function field(label, control, hint, wide) {
  control.id ||= fresh("field");
  const described = hint ? el("p", { class: "hint", id: `${control.id}-hint` }, hint) : null;
  if (described) control.setAttribute("aria-describedby", described.id);
  return el("div", { class: wide ? "field wide" : "field" }, el("label", { for: control.id }, label), control, described);
}

/** A choice among texts, or among [value, text]. */
export function choice(options, chosen) {
  const select = el("select");
  for (const option of options) {
    const [value, text] = Array.isArray(option) ? option : [option, option];
    select.append(el("option", { value, selected: value === chosen }, text));
  }
  return select;
}

/** Terms and what they are. */
export function facts(pairs) {
  const list = el("dl", { class: "facts" });
  for (const [term, value] of pairs) {
    if (value !== undefined && value !== null && value !== "") list.append(el("dt", {}, term), el("dd", {}, value));
  }
  return list;
}

/** A message in words. */
export function notice(kind, ...children) {
  return el("p", { class: `notice ${kind}`, role: kind === "error" ? "alert" : "status" }, ...children);
}
