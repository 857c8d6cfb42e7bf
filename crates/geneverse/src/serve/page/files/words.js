// Which words of an answer were changed, and small words for numbers.

/** Pieces of both texts in order: [kind, text], where kind is "same", "out" or "in". By the longest common words. */
export function difference(before, after) {
  const cut = (text) => text.match(/\s+|[^\s]+/g) ?? [];
  const [a, b] = [cut(before), cut(after)];
  if (a.length * b.length > 4e6) return [["out", before], ["in", after]];
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const here = i * width + j;
      common[here] = a[i] === b[j] ? common[here + width + 1] + 1 : Math.max(common[here + width], common[here + 1]);
    }
  }
  const pieces = [];
  const push = (kind, text) => {
    const last = pieces.at(-1);
    if (last && last[0] === kind) last[1] += text;
    else pieces.push([kind, text]);
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      push("same", a[i]);
      i += 1;
      j += 1;
    } else if (i < a.length && (j === b.length || common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      push("out", a[i++]);
    } else {
      push("in", b[j++]);
    }
  }
  return pieces;
}

/** "1 edit", "3 edits". */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** "just now", "5 minutes ago". */
export function ago(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return "just now";
  const [size, unit] = seconds < 3600 ? [60, "minute"] : seconds < 86400 ? [3600, "hour"] : [86400, "day"];
  return `${count(Math.floor(seconds / size), unit)} ago`;
}

/** A number to three digits that matter. */
export function short(number) {
  return Number.isFinite(number) ? Number(number.toPrecision(3)).toString() : "–";
}
