// Requests to the server. Addresses are relative, so that the page works below any path of a proxy.

import * as apiKey from "./key.js";

// Tries of one request while the server is full. Each waits as long as the server says.
const TRIES = 12;
const LONGEST_WAIT = 30;

export class Refusal extends Error {
  constructor(message, status, requestId = null, retryAfter = null) {
    super(message);
    this.status = status;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

export async function serverInfo() {
  const response = await fetch("info");
  return response.ok ? response.json() : {};
}

// crypto.subtle does not exist on http:// of another machine: then pictures are uploaded at once.
export const canHash = () => Boolean(globalThis.crypto?.subtle);

// Caption one picture. `report(text, fraction)` hears of the progress. Return the answer with
// `uploaded`, `phases` (pairs of a name and milliseconds) and `elapsed` (milliseconds).
// Raises Refusal, and AbortError if `signal` is aborted.
export async function caption(file, { fields, refresh }, signal, report) {
  let digest = null;
  if (canHash() && !refresh) {
    report("Reading", null);
    digest = hex(await crypto.subtle.digest("SHA-256", await contentOf(file)));
    signal.throwIfAborted();
  }
  return patiently(signal, report, async (headers) => {
    const began = performance.now();
    let answer = digest && (await lookUp(digest, fields, headers, signal));
    answer ||= await upload(file, fields, refresh, headers, signal, report);
    return { ...answer, elapsed: performance.now() - began };
  });
}

async function contentOf(file) {
  try {
    return await file.arrayBuffer();
  } catch {
    throw new Refusal("This file can’t be read; is it a folder, or was it changed meanwhile?", 0);
  }
}

const hex = (buffer) =>
  Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

// Send a request again after 503, and after 401 with another key.
async function patiently(signal, report, send) {
  for (let tries = 1; ; tries += 1) {
    const key = apiKey.current();
    try {
      return await send(key ? { Authorization: `Bearer ${key}` } : {});
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401) {
        report("Waiting for a key", null);
        if (await apiKey.ask(key)) continue;
      } else if (error.status === 503 && tries < TRIES) {
        await pause(error.retryAfter ?? 1, signal, report);
        continue;
      }
      throw error;
    }
  }
}

async function pause(seconds, signal, report) {
  const until = performance.now() + Math.min(seconds, LONGEST_WAIT) * 1000;
  for (let left = until - performance.now(); left > 0; left = until - performance.now()) {
    report(`The server is busy; again in ${Math.ceil(left / 1000)} s`, null);
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, 1000)));
    signal.throwIfAborted();
  }
}

// Ask for a cached caption by the digest of the picture. Return null if there is none.
async function lookUp(digest, fields, headers, signal) {
  const query = new URLSearchParams(fields).toString();
  let response;
  try {
    response = await fetch(`caption/${digest}${query && "?"}${query}`, { headers, signal });
  } catch {
    throw unreachable();
  }
  const header = (name) => response.headers.get(name);
  const body = await response.json().catch(() => ({}));
  if (response.ok) return { ...body, uploaded: false, phases: phasesOf(header("Server-Timing")) };
  if (response.status === 404) return null;
  throw refusalOf(response.status, body, header);
}

// XMLHttpRequest, because fetch does not tell how much is sent.
function upload(file, fields, refresh, headers, signal, report) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    for (const [name, text] of Object.entries(fields)) form.append(name, text);
    form.append("image", file, file.name);
    request.open("POST", "caption");
    for (const [name, text] of Object.entries(headers)) request.setRequestHeader(name, text);
    if (refresh) request.setRequestHeader("Cache-Control", "no-cache");
    request.responseType = "json";
    const header = (name) => request.getResponseHeader(name);
    request.upload.onprogress = ({ loaded, total }) => report("Uploading", loaded / total);
    request.upload.onload = () => report("Captioning", null);
    request.onload = () => {
      const body = request.response ?? {};
      if (request.status === 200) {
        resolve({ ...body, uploaded: true, phases: phasesOf(header("Server-Timing")) });
      } else {
        reject(refusalOf(request.status, body, header));
      }
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    report("Uploading", 0);
    request.send(form);
  });
}

const unreachable = () => new Refusal("The server can’t be reached, or it closed the connection.", 0);

function refusalOf(status, body, header) {
  const retryAfter = Number.parseInt(header("Retry-After") ?? "", 10);
  const message = typeof body.error === "string" ? body.error : `The server answered ${status}.`;
  const requestId = status >= 500 && status !== 503 ? header("X-Request-ID") : null;
  return new Refusal(message, status, requestId, Number.isNaN(retryAfter) ? null : retryAfter);
}

// https://www.w3.org/TR/server-timing/: "read;dur=1.20, cache;dur=0.31".
function phasesOf(header) {
  return (header ?? "").split(",").flatMap((entry) => {
    const [, name, duration] = /^\s*([\w-]+);dur=([\d.]+)/.exec(entry) ?? [];
    return name ? [[name, Number(duration)]] : [];
  });
}
