// Runs and their reports, and how a loss goes while a model trains.

import { get, part } from "./api.js";
import { curve } from "./curve.js";
import { el, facts, fill, notice, svg } from "./dom.js";
import { ago, count, short } from "./words.js";

const LIST = 5000;
const LOSS = 1500;
/** A log that has grown so lately is being written. */
const FRESH = 60;

export function start(content, about) {
  if (!about.runs) {
    fill(content, el("div", { class: "empty" }, el("p", {}, "This server was told of no runs. Start it with --runs DIR, and what trains below that folder is shown here with its loss.")));
    return {};
  }
  const said = el("div");
  const list = el("div", { class: "scroll" });
  const one = el("div");
  fill(content, el("p", { class: "lead" }, "What lies below the folder of runs; while a model trains its loss grows here."), said, one, list);
  let timer = null;
  let turn = 0;

  function leave() {
    turn += 1;
    clearTimeout(timer);
  }

  /** Does something now and again, for as long as this is looked at. */
  function repeat(work, pause) {
    const own = turn;
    const again = async () => {
      try {
        if (!document.hidden) await work(() => own === turn);
        if (own === turn) fill(said);
      } catch (error) {
        if (own === turn) fill(said, notice("error", error.message));
      }
      if (own === turn) timer = setTimeout(again, pause);
    };
    again();
  }

  function enter(id) {
    leave();
    one.hidden = !id;
    list.hidden = Boolean(id);
    if (id) detail(id);
    else repeat(showList, LIST);
  }

  async function showList(current) {
    const { runs } = await get("/runs");
    if (!current()) return;
    if (!runs.length) {
      fill(list, el("div", { class: "empty" }, el("p", {}, "There is no run yet. Begin one with `geneverse train RECIPE --out`, below this folder.")));
      return;
    }
    const rows = runs.map((run) =>
      el("tr", {},
        el("th", { scope: "row" }, run.trains ? el("a", { href: `#runs/${run.id}` }, named(run)) : named(run)),
        el("td", {}, state(run)),
        el("td", { class: "number" }, run.last ? run.last.step.toLocaleString("en") : ""),
        el("td", { class: "number" }, run.last ? short(run.last.loss) : ""),
        el("td", {}, report(run))));
    const head = ["Run", "State", "Step", "Loss", "Report"].map((text) =>
      el("th", { scope: "col", class: ["Step", "Loss"].includes(text) ? "number" : null }, text));
    const held = document.activeElement?.getAttribute("href");
    fill(list, el("table", { class: "table" }, el("caption", {}, count(runs.length, "run")), el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows)));
    // The list is made anew; who stood on one of its links stands there still.
    if (held) [...list.querySelectorAll("a")].find((link) => link.getAttribute("href") === held)?.focus();
  }

  function named(run) {
    return run.name || "the folder itself";
  }

  function state(run) {
    if (run.finished) return el("span", { class: "mark supported" }, "finished");
    if (!run.trains) return "";
    if (run.seconds_since < FRESH) return el("span", { class: "live" }, "training");
    return el("span", { class: "mark not_in_record" }, `stopped ${ago(run.seconds_since)}`);
  }

  function report(run) {
    return run.report ? el("a", { href: run.report, target: "_blank", rel: "noopener" }, "Report", el("span", { class: "unseen" }, ` of ${named(run)}, in a new tab`), " ↗") : "";
  }

  async function detail(id) {
    const own = turn;
    fill(one, el("p", {}, el("a", { href: "#runs" }, "← All runs")));
    let run;
    try {
      run = await get(`/runs/${part(id)}`);
    } catch (error) {
      if (own === turn) one.append(notice("error", error.message));
      return;
    }
    if (own !== turn) return;
    const epochs = Number(/^\s*epochs\s*=\s*([\d.]+)/m.exec(run.recipe ?? "")?.[1]);
    const graph = svg("svg", { class: "curve" });
    const words = el("p", { class: "meta" });
    const validation = el("li", { class: "valid", hidden: true }, "validation loss");
    const bar = epochs ? el("progress", { max: epochs, value: 0, "aria-label": "Epochs" }) : null;
    const now = el("div");
    const outcome = run.facts?.outcome ?? {};
    const data = run.facts?.data ?? {};
    const told = facts([
      ["Steps", outcome.steps?.toLocaleString("en")], ["Last loss", outcome.last_loss && short(outcome.last_loss)],
      ["Best", outcome.best && `${short(outcome.best.eval_loss)} at step ${outcome.best.step}`],
      ["Speed", outcome.tokens_per_second && `${Math.round(outcome.tokens_per_second).toLocaleString("en")} tokens/s`],
      ["Examples", data.sequences?.toLocaleString("en")], ["Report", report(run)],
    ]);
    one.append(
      el("div", { class: "card" },
        el("div", { class: "answer-head" }, el("h2", {}, named(run)), now), words, bar, graph,
        el("ul", { class: "legend" }, el("li", {}, "training loss, and its running mean"), validation),
        told,
        run.recipe ? el("details", {}, el("summary", {}, "Recipe"), el("pre", { tabindex: "0", "aria-label": "Recipe" }, run.recipe)) : null));
    const points = { train: [], validation: [], next: 0, grown: Date.now() - (run.seconds_since ?? 0) * 1000, read: false };
    repeat(async (current) => {
      let losses;
      do {
        losses = await get(`/runs/${part(id)}/losses/${points.next}`);
        if (!current()) return;
        if (losses.begun_anew) [points.train, points.validation] = [[], []];
        points.train.push(...losses.train);
        points.validation.push(...losses.validation);
        points.next = losses.next;
        if (losses.train.length && points.read) points.grown = Date.now();
      } while (losses.more);
      curve(graph, points);
      validation.hidden = !points.validation.length;
      const last = points.train.at(-1);
      words.textContent = last ? `Step ${last[0].toLocaleString("en")}, loss ${short(last[1])}` : "No step has been written yet.";
      if (bar) bar.hidden = losses.finished;
      if (bar && typeof losses.epoch === "number") bar.value = losses.epoch;
      points.read = true;
      fill(now, state({ ...run, finished: losses.finished, seconds_since: (Date.now() - points.grown) / 1000 }));
    }, LOSS);
  }

  return { enter, leave };
}
