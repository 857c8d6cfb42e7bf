// What the page asks of the server that it came from, and nobody else.

/** Why something was not answered, in words that the page shows. */
export class Failed extends Error {
  constructor(message, status, more) {
    super(message);
    this.status = status;
    this.more = more ?? {};
  }
}

const KEY = "geneverse-key";

/** The key, kept as long as the browser's tab is open. */
export function key() {
  return sessionStorage.getItem(KEY) ?? "";
}

export function keepKey(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

/** A part of a path that may hold anything. */
export function part(text) {
  return encodeURIComponent(text);
}

async function ask(path, options) {
  const headers = { ...(options.headers ?? {}) };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed("The server does not answer. Is it still running?", 0);
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new Failed(inWords(response, told), response.status, told);
}

function inWords(response, told) {
  const said = told?.error?.message;
  const words = {
    401: "This server asks for an API key.",
    413: "This is larger than the server takes.",
    429: "The server has as many questions as it takes. Wait a moment and ask again.",
    503: "The server is busy or ending. Wait a moment and ask again.",
  }[response.status];
  return said ? `${said[0].toUpperCase()}${said.slice(1)}${/[.?!]$/.test(said) ? "" : "."}` : words ?? `The server answers with an error (${response.status}).`;
}

/** What lies at a path. */
export async function get(path, signal) {
  return (await ask(path, { signal })).json();
}

/** What is answered to a value. */
export async function post(path, value, signal) {
  return (await send(path, value, signal)).json();
}

function send(path, value, signal) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(value), signal });
}

/**
 * Asks a model. `hear(text)` hears the answer as it comes. Returns the whole text, why it ended, and what the database says of
 * it where `check` was asked for.
 */
export async function chat({ model, question, pictures = [], check, retrieve, longest }, hear, signal) {
  const shown = pictures.map((url) => ({ type: "image_url", image_url: { url } }));
  const content = shown.length ? [...shown, { type: "text", text: question }] : question;
  const value = { model, messages: [{ role: "user", content }], stream: true, stream_options: { include_usage: true } };
  if (longest) value.max_tokens = longest;
  if (check || retrieve) value.geneverse = { check: Boolean(check), retrieve: Boolean(retrieve) };
  const response = await send("/v1/chat/completions", value, signal);
  const told = { text: "", finish: null, checked: null, usage: null };
  for await (const event of events(response)) {
    if (event.error) throw new Failed(event.error.message, 500);
    const [first] = event.choices ?? [];
    if (first?.delta?.content) {
      told.text += first.delta.content;
      hear(told.text);
    }
    told.finish = first?.finish_reason ?? told.finish;
    told.checked = event.geneverse ?? told.checked;
    told.usage = event.usage ?? told.usage;
  }
  return told;
}

/** Server-sent events, each a JSON value. */
async function* events(response) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let pending = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Failed("The answer broke off: the connection was closed.", 0);
    pending += decoder.decode(value, { stream: true });
    const whole = pending.split("\n\n");
    pending = whole.pop();
    for (const event of whole) {
      if (!event.startsWith("data: ")) continue;
      if (event === "data: [DONE]") return;
      yield JSON.parse(event.slice(6));
    }
  }
}

/** A file as the server takes it. */
export async function packed(file) {
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Failed(`${file.name} cannot be read.`, 0));
    reader.readAsDataURL(file);
  });
  return { name: file.name, data: url.slice(url.indexOf(",") + 1), url };
}
