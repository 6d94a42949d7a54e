// Small helpers for the document.

export const byId = (id) => document.getElementById(id);

// Make an element. Names beginning with "on" are listeners; names that are no property of the
// element are attributes.
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const KEPT = 8;

// Tell a screen reader something without moving the focus.
export function announce(text) {
  const live = byId("live");
  live.append(make("p", { textContent: text }));
  while (live.childElementCount > KEPT) live.firstElementChild.remove();
}

// Show a problem that belongs to no picture, or hide the last one.
export function showMessage(text) {
  const message = byId("message");
  message.textContent = text;
  message.hidden = !text;
}

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${Math.round(count / 1000)} KB`;
  return `${(count / 1e6).toFixed(1)} MB`;
}

export function milliseconds(value) {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
