// The service's API: a few requests at a time, patience while it is full, its key, and its errors in its own words.

import { find } from "./elements.js";

export const AT_ONCE = 4; // a worker queues 64, and others ask too
const TRIES = 6;
const AWAY = "The service does not answer.";

const waiting = [];
let running = 0;
let key = "";
let unlocked = null;

/** The service is gone or full, which says nothing about the request. */
export class Away extends Error {}

/** The response to a request, once it is good. Throws an Error, or Away, whose message is one plain sentence. */
export async function ask(path, options = {}) {
  await place();
  try {
    return await answer(path, options);
  } finally {
    leave();
  }
}

export function post(path, file) {
  return ask(path, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
}

async function place() {
  if (running < AT_ONCE) running++;
  else await new Promise((go) => waiting.push(go));
}

function leave() {
  if (waiting.length) waiting.shift()();
  else running--;
}

async function answer(path, options) {
  for (let tries = 1; ; ) {
    const used = key;
    const response = await send(path, options);
    if (response.ok) return response;
    if (response.status === 401) await newKey(used);
    else if (response.status === 503 && tries++ < TRIES) await pause(response.headers.get("Retry-After"));
    else throw await refusal(response);
  }
}

async function send(path, options) {
  const headers = key ? { ...options.headers, "X-API-Key": key } : options.headers;
  try {
    return await fetch(path, { ...options, headers });
  } catch {
    throw (await isAlive()) ? new Error("The service did not take it: the file is too large, or cannot be read.") : new Away(AWAY);
  }
}

function isAlive() {
  return fetch("livez").then(({ ok }) => ok, () => false);
}

function pause(seconds) {
  return new Promise((go) => setTimeout(go, 1000 * (Number(seconds) || 1)));
}

/** In the words of the service, where it is that and no proxy before it that answered. */
async function refusal(response) {
  const { detail } = await response.json().catch(() => ({}));
  if (response.status === 503) return new Away(detail ?? AWAY);
  return detail || (await isAlive()) ? new Error(detail ?? `The service answered ${response.status}.`) : new Away(AWAY);
}

/** Ask for another key than the one that was refused, once for all who wait. */
async function newKey(used) {
  if (used !== key) return;
  unlocked ??= new Promise(given);
  await unlocked;
}

function given(resolve) {
  const [form, secret] = [find("key"), find("secret")];
  form.hidden = false;
  find("refused").textContent = key && "That key is not accepted.";
  secret.focus();
  form.onsubmit = (event) => {
    event.preventDefault();
    [key, unlocked] = [secret.value, null];
    form.hidden = true;
    form.reset();
    resolve();
  };
}
