// What is wrong with the page as it is shown, in words: names of controls, headings, contrast, what hangs over the side. In
// the spirit of axe, as far as this page needs it (WCAG 2.2: 1.1.1, 1.3.1, 1.4.3, 1.4.10, 2.4.6, 2.5.8, 4.1.1, 4.1.2).
() => {
  const wrong = [];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const told = (element) => `<${element.tagName.toLowerCase()}> "${(element.textContent || element.id).trim().slice(0, 40)}"`;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);

  const name = (element) => {
    const of = (id) => document.getElementById(id)?.textContent ?? "";
    return [
      element.getAttribute("aria-label"), (element.getAttribute("aria-labelledby") ?? "").split(" ").map(of).join(" "),
      [...(element.labels ?? [])].map((label) => label.textContent).join(" "), element.getAttribute("alt"),
      element.matches("input, select, textarea") ? "" : element.textContent,
    ].find((text) => text?.trim()) ?? "";
  };
  for (const element of all("button, a[href], input, select, textarea, summary, [role=img], progress")) {
    if (!name(element)) wrong.push(`${told(element)} has no name`);
  }
  for (const element of all("img")) if (element.getAttribute("alt") === null) wrong.push(`${told(element)} has no alternative text`);
  for (const element of all("button, input, select, textarea")) {
    const { width, height } = element.getBoundingClientRect();
    const inText = element.matches(".link");
    if (!inText && !element.matches("[type=checkbox]") && Math.min(width, height) < 24) wrong.push(`${told(element)} is only ${width} × ${height}`);
  }

  if (document.documentElement.lang !== "en") wrong.push("the page does not say its language");
  for (const landmark of ["header", "nav", "main", "footer"]) if (all(landmark).length !== 1) wrong.push(`there are ${all(landmark).length} <${landmark}>`);
  const levels = all("h1, h2, h3, h4").map((heading) => Number(heading.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) wrong.push(`headings are of the levels ${levels}`);
  levels.forEach((level, at) => at && level > levels[at - 1] + 1 && wrong.push(`a heading of level ${level} follows one of ${levels[at - 1]}`));
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) wrong.push(`two elements have the id ${id}`);

  const side = document.documentElement.scrollWidth - innerWidth;
  if (side > 0) wrong.push(`the page is ${side} pixels wider than the window`);

  const channels = (colour) => {
    const [r, g, b, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
    return [r, g, b, alpha];
  };
  const over = ([r, g, b, alpha], under) => [r, g, b].map((value, at) => value * alpha + under[at] * (1 - alpha));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const layer = channels(getComputedStyle(at).backgroundColor);
      if (layer[3] > 0) layers.push(layer);
      if (layer[3] === 1) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !shown(element) || element.closest(".unseen, script, noscript, option, datalist, :disabled")) continue;
    const style = getComputedStyle(element);
    const under = ground(element);
    const ink = over(channels(element.closest("svg") ? style.fill : style.color), under);
    const [high, low] = [light(ink), light(under)].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) wrong.push(`${told(element)} has a contrast of ${contrast.toFixed(2)} only`);
  }
  return [...new Set(wrong)];
}
