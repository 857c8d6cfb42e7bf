// Where a gene lies on the plane of a clustering, and what is near it.

import { get, part } from "./api.js";
import { el, fill } from "./dom.js";
import { short } from "./words.js";

const RATIO = 0.75;
const HUES = [172, 28, 265, 205, 340, 95, 48, 300, 140, 230];
let whole = null;

/** A card with the plane and the list; `onask` hears the gene that somebody wants to go on with. */
export function planeCard(onask) {
  const canvas = el("canvas", { role: "img" });
  const list = el("ul", { class: "near" });
  const title = el("h2");
  const hint = el("p", { class: "hint" });
  const element = el("section", { class: "card plane", "aria-label": "Neighbours", hidden: true }, title, hint, canvas, list);
  let last = null;

  async function show(symbol) {
    const [near, plane] = await Promise.all([get(`/plane/${part(symbol)}`), (whole ??= get("/plane"))]);
    last = { near, plane };
    title.textContent = `Near ${near.id}`;
    hint.textContent = `Cluster ${near.cluster} of “${plane.name}”, ${plane.ids.length.toLocaleString("en")} items. Near is by ${
      near.by === "cosine" ? "the angle between the texts' vectors" : "the distance in the plane"}; the plane is UMAP's.`;
    const names = near.near.map((other) => other.id).join(", ");
    canvas.setAttribute("aria-label", `Plane of all items with ${near.id} and its neighbours marked: ${names}`);
    const items = near.near.map((other) =>
      el("li", {}, el("button", { type: "button", class: "link", onclick: () => onask(other.id) }, other.id),
        " ", el("span", { class: "meta" }, `${short(other.near)}${other.name ? `, ${other.name}` : ""}`)));
    fill(list, items);
    element.hidden = false;
    draw();
  }

  function draw() {
    if (!last) return;
    const { near, plane } = last;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    // As wide as it is shown, so that letters keep their size.
    const width = Math.max(canvas.clientWidth, 240);
    const height = Math.round(width * RATIO);
    [canvas.width, canvas.height] = [width * ratio, height * ratio];
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const span = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
    const [[left, right], [low, high]] = [span(plane.x), span(plane.y)];
    const margin = 24;
    const scale = Math.min((width - 2 * margin) / (right - left || 1), (height - 2 * margin) / (high - low || 1));
    const at = (item) => [
      width / 2 + (plane.x[item] - (left + right) / 2) * scale,
      height / 2 - (plane.y[item] - (low + high) / 2) * scale,
    ];
    const size = Math.max(1, Math.min(3.5, 48 / Math.sqrt(plane.ids.length)));
    const dot = (item, radius) => {
      pen.beginPath();
      pen.arc(...at(item), radius, 0, 2 * Math.PI);
      pen.fill();
    };
    pen.globalAlpha = 0.6;
    for (let item = 0; item < plane.ids.length; item++) {
      pen.fillStyle = `hsl(${HUES[plane.clusters[item] % HUES.length]} 45% ${dark ? 62 : 48}%)`;
      dot(item, size);
    }
    pen.globalAlpha = 1;
    const ink = dark ? "#e9ece8" : "#1d2321";
    const places = new Map(plane.ids.map((id, item) => [id, item]));
    const marked = near.near.map((other) => places.get(other.id)).filter((item) => item !== undefined);
    const own = places.get(near.id);
    pen.font = "600 13px system-ui, sans-serif";
    pen.lineJoin = "round";
    const taken = [];
    const name = (item, weight) => {
      const [x, y] = at(item);
      const text = plane.ids[item];
      const wide = pen.measureText(text).width;
      const from = Math.min(x + 8, width - wide - 4);
      // A name that would lie over another is left out: it is in the list.
      if (weight < 1 && taken.some(([a, b, w]) => from < a + w && a < from + wide && Math.abs(b - y) < 14)) return;
      taken.push([from, y, wide]);
      pen.strokeStyle = dark ? "#222926" : "#f2f0ea";
      pen.lineWidth = 3;
      pen.strokeText(text, from, y + 4.5);
      pen.fillStyle = ink;
      pen.fillText(text, from, y + 4.5);
    };
    pen.fillStyle = ink;
    for (const item of marked) dot(item, size + 1);
    if (own !== undefined) {
      pen.fillStyle = dark ? "#ffd98a" : "#b4501a";
      dot(own, size + 4);
      name(own, 1);
    }
    for (const item of marked) name(item, 0);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("resize", draw);

  function hide() {
    element.hidden = true;
    last = null;
  }

  return { element, show, hide };
}
