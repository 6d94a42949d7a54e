// Earlier captions with small pictures, in this browser alone: at most LIMIT, and less where the
// storage is small. Without storage they last until the page is closed.

import { announce, byId, make, plural } from "./dom.js";
import { copyButtons } from "./copy.js";

const NAME = "caption-server:history";
const LIMIT = 60;
const SIDE = 96;

let entries = load();
let cleared = [];
let kept = true;
let above = new Set();

function load() {
  try {
    const found = JSON.parse(localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(found) ? found.filter(isEntry).slice(0, LIMIT) : [];
  } catch {
    return [];
  }
}

function isEntry(each) {
  return each && Number.isFinite(each.time)
    && ["caption", "name", "thumbnail"].every((name) => typeof each[name] === "string");
}

function save() {
  kept = false;
  // A full storage refuses: then the oldest entries go.
  for (let count = entries.length; !kept && count >= 0; count = count ? Math.floor(count / 2) : -1) {
    try {
      localStorage.setItem(NAME, JSON.stringify(entries.slice(0, count)));
      kept = true;
    } catch {
      // Fewer may fit.
    }
  }
}

// Remember a caption, and return its entry. `image` is the element that shows the picture.
export function remember(caption, name, image) {
  const entry = { caption, name, thumbnail: thumbnailOf(image), time: Date.now() };
  entries = entries.filter((each) => each.caption !== caption || each.name !== name);
  entries.unshift(entry);
  entries.length = Math.min(entries.length, LIMIT);
  cleared = [];
  save();
  return entry;
}

// Return the picture as a small data URL, or "" if the browser can't show its format.
function thumbnailOf(image) {
  const { naturalWidth: width, naturalHeight: height } = image;
  if (!width || !height) return "";
  const scale = Math.min(1, SIDE / Math.min(width, height));
  const canvas = make("canvas", { width: SIDE, height: SIDE });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  const [w, h] = [width * scale, height * scale];
  context.drawImage(image, (SIDE - w) / 2, (SIDE - h) / 2, w, h);
  return canvas.toDataURL("image/jpeg", 0.7);
}

export function clear() {
  [entries, cleared] = cleared.length ? [cleared, []] : [[], entries];
  save();
  show(above);
  announce(cleared.length ? "History cleared." : "History restored.");
}

// Show the entries, but for those whose pictures are on the page anyway.
export function show(entriesAbove) {
  above = entriesAbove;
  const shown = entries.filter((each) => !above.has(each));
  byId("history").hidden = !shown.length && !cleared.length;
  byId("clear-history").textContent = cleared.length ? "Undo" : "Clear";
  byId("history-note").textContent = cleared.length
    ? `${plural(cleared.length, "caption")} removed.`
    : kept ? "Kept in this browser only." : "Kept until this page closes: the browser’s storage is off or full.";
  byId("entries").replaceChildren(...shown.map(item));
}

function shortTime(when) {
  const today = when.toDateString() === new Date().toDateString();
  const clock = { hour: "numeric", minute: "2-digit" };
  return when.toLocaleString([], today ? clock : { month: "short", day: "numeric", ...clock });
}

function item({ caption, name, thumbnail, time }) {
  const picture = thumbnail.startsWith("data:image/jpeg;")
    ? make("img", { src: thumbnail, alt: "", width: 48, height: 48 })
    : make("span", { className: "no-picture" });
  const when = new Date(time);
  return make("li", { className: "entry" },
    picture,
    make("div", {},
      make("p", { className: "entry-caption", textContent: caption }),
      make("p", { className: "quiet origin" }, make("span", { className: "file", textContent: name }),
        make("time", { dateTime: when.toISOString(), textContent: shortTime(when) }))),
    copyButtons(caption, name));
}
