// The curve of a loss, drawn anew with every step that comes.

import { fill, svg } from "./dom.js";
import { short } from "./words.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [46, 10, 10, 30];
const POINTS = 700;

/** Draws [step, loss] pairs into an SVG element. */
export function curve(element, { train, validation }) {
  const all = [...train, ...validation];
  if (!all.length) return fill(element);
  const steps = all.map(([step]) => step);
  const losses = all.map(([, loss]) => loss);
  const [first, last] = minmax(steps);
  const ticks = nice(...minmax(losses));
  const [low, high] = [ticks[0], ticks.at(-1)];
  // As wide as it is shown, so that letters keep their size.
  const width = Math.max(element.clientWidth, 240) || 720;
  const height = Math.min(Math.max(width * 0.42, 200), 340);
  const x = (step) => LEFT + ((step - first) / (last - first || 1)) * (width - LEFT - RIGHT);
  const y = (loss) => height - BOTTOM - ((loss - low) / (high - low || 1)) * (height - TOP - BOTTOM);
  const line = (points, kind) =>
    svg("polyline", {
      class: kind, fill: "none", "stroke-width": kind === "faint" ? 1.2 : 2.2, "stroke-linejoin": "round",
      points: points.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(" "),
    });
  const grid = ticks.map((tick) => [
    svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
    svg("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, short(tick)),
  ]);
  const ends = [
    svg("text", { x: LEFT, y: height - 9 }, `step ${first}`),
    svg("text", { x: width - RIGHT, y: height - 9, "text-anchor": "end" }, `step ${last}`),
  ];
  const thin = thinned(train);
  const smooth = thin.length > 30 ? [line(thin, "faint"), line(smoothed(thin), "train")] : [line(thin, "train")];
  const dots = validation.map(([step, loss]) => svg("circle", { class: "dot", cx: x(step), cy: y(loss), r: 3.5 }));
  const [, latest] = train.at(-1) ?? validation.at(-1);
  element.setAttribute("viewBox", `0 0 ${width} ${height}`);
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", `Loss by step, from ${short(losses[0])} at step ${first} to ${short(latest)} at step ${last}`);
  fill(element, grid, ends, smooth, validation.length > 1 ? line(validation, "valid") : null, dots);
}

function minmax(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

/** Round numbers around a range. */
function nice(low, high) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const from = Math.floor(low / step);
  const to = Math.max(Math.ceil(high / step), from + 1);
  return Array.from({ length: to - from + 1 }, (_, at) => (from + at) * step);
}

/** Means of neighbours, where there are more than can be seen. */
function thinned(points) {
  if (points.length <= POINTS) return points;
  const size = points.length / POINTS;
  return Array.from({ length: POINTS }, (_, at) => {
    const own = points.slice(Math.floor(at * size), Math.floor((at + 1) * size));
    return [own.at(-1)[0], own.reduce((sum, [, loss]) => sum + loss, 0) / own.length];
  });
}

/** A mean that forgets, without its pull to where it began. */
function smoothed(points) {
  const keep = 0.9;
  let [mean, weight] = [0, 0];
  return points.map(([step, loss]) => {
    mean = keep * mean + (1 - keep) * loss;
    weight = keep * weight + (1 - keep);
    return [step, mean / weight];
  });
}
