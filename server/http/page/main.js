// The page: pictures come in, cards show what becomes of them.

import * as api from "./api.js";
import * as camera from "./camera.js";
import { Card } from "./card.js";
import { copy } from "./copy.js";
import { announce, byId, bytes, make, plural, showMessage } from "./dom.js";
import * as history from "./history.js";
import * as options from "./options.js";
import { enqueue } from "./queue.js";

// Up to this many pictures at once, each caption is read out; beyond that only their number.
const READ_OUT = 3;

const cards = new Set();
let bodyLimit = Infinity;

// Caption pictures, the newest on top.
function add(files) {
  showMessage("");
  const added = files.map((file) => new Card(file, (card) => run([card]), remove));
  for (const card of added) cards.add(card);
  byId("cards").prepend(...added.map((card) => card.node));
  announce(`${plural(added.length, "picture")} added.`);
  update();
  run(added);
}

// Caption these cards with the options as they are now.
function run(batch) {
  const chosen = options.chosen();
  let left = batch.length;
  for (const card of batch) {
    const signal = card.restart();
    enqueue(async () => {
      await captioned(card, chosen, signal, batch.length <= READ_OUT);
      left -= 1;
      if (!left && batch.length > READ_OUT) announce(`${plural(batch.length, "picture")} done.`);
      update();
    });
  }
}

async function captioned(card, chosen, signal, readOut) {
  if (signal.aborted) return;
  try {
    if (card.file.size > bodyLimit) {
      throw new api.Refusal(`This file has ${bytes(card.file.size)}; this server takes at most ${bytes(bodyLimit)}.`, 413);
    }
    const report = (text, fraction) => signal.aborted || card.report(text, fraction);
    const answer = await api.caption(card.file, chosen, signal, report);
    if (signal.aborted) return;
    card.showCaption(answer);
    if (readOut) announce(`${card.file.name}: ${answer.caption}`);
    await card.image.decode().catch(() => {});
    card.entry = history.remember(answer.caption, card.file.name, card.image);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof api.Refusal)) console.error(error);
    card.showError(error);
    announce(`${card.file.name}: ${error.message}`);
  }
}

function remove(card) {
  const neighbour = card.node.nextElementSibling ?? card.node.previousElementSibling;
  cards.delete(card);
  card.remove();
  announce(`${card.file.name} removed.`);
  update();
  const heir = [...cards].find((each) => each.node === neighbour);
  (heir?.removeButton ?? byId("files")).focus();
}

function update() {
  const done = [...cards].filter((card) => card.node.dataset.state !== "working").length;
  byId("results").hidden = !cards.size;
  document.body.classList.toggle("busy-page", cards.size > 0);
  byId("count").textContent = done < cards.size ? `${done} of ${cards.size} done` : cards.size;
  byId("copy-all").hidden = [...cards].filter((card) => card.caption !== null).length < 2;
  options.pictures(cards.size);
  history.show(new Set([...cards].map((card) => card.entry)));
}

function watchPickers() {
  for (const input of [byId("files"), byId("capture")]) {
    input.addEventListener("change", () => {
      const files = [...input.files];
      // The same file may be chosen again.
      input.value = "";
      if (files.length) add(files);
    });
  }
}

function watchDrops() {
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const highlight = () => document.body.classList.toggle("dropping", depth > 0);
  addEventListener("dragenter", (event) => { depth += isFiles(event) ? 1 : 0; highlight(); });
  addEventListener("dragleave", (event) => { depth -= isFiles(event) ? 1 : 0; highlight(); });
  addEventListener("dragover", (event) => { if (isFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    depth = 0;
    highlight();
    if (!isFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer.files.length) add([...event.dataTransfer.files]);
  });
}

let pasted = 0;

function watchPaste() {
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    add(files.map((file) => {
      pasted += 1;
      // Browsers call every pasted picture image.png.
      return new File([file], `pasted-${pasted}.${file.name.split(".").pop()}`, { type: file.type });
    }));
  });
}

function watchButtons() {
  byId("clear-history").addEventListener("click", history.clear);
  byId("copy-all").addEventListener("click", ({ currentTarget }) => {
    const shown = [...byId("cards").children].map((node) => [...cards].find((card) => card.node === node));
    const lines = shown.filter((card) => card.caption !== null).map((card) => `${card.file.name}\t${card.caption}`);
    copy(lines.join("\n"), currentTarget);
  });
  byId("remove-all").addEventListener("click", () => {
    for (const card of cards) card.remove();
    cards.clear();
    announce("All pictures removed.");
    update();
    byId("files").focus();
  });
}

async function describeServer() {
  try {
    const { model, limits, options: ranges } = await api.serverInfo();
    bodyLimit = limits?.body_bytes ?? Infinity;
    options.limit(ranges ?? {});
    if (model?.name) byId("model").textContent = `Model ${model.name}, ${model.precision}`;
    if (model?.notice) showNotice(model.notice);
  } catch {
    showMessage("The server can’t be reached.");
  }
}

// A notice of a demonstration model ends in the command that serves another one.
function showNotice(notice) {
  const [, text, command] = /^(.*?)(scripts\/serve\b.*)?$/s.exec(notice);
  byId("notice").replaceChildren(text, ...(command ? [make("code", { textContent: command })] : []));
  byId("notice").hidden = false;
}

options.watch(() => run([...cards]));
camera.watch(add);
watchPickers();
watchDrops();
watchPaste();
watchButtons();
update();
describeServer();
