// One picture on the page: its progress, its caption or its error, and its actions.

import { copyButtons } from "./copy.js";
import { bytes, make, milliseconds } from "./dom.js";

export class Card {
  // `again` and `remove` are called with this card.
  constructor(file, again, remove) {
    this.file = file;
    this.caption = null;
    this.entry = null;
    this.abort = new AbortController();
    this.image = make("img", { src: URL.createObjectURL(file), alt: "" });
    this.image.addEventListener("error", () => this.image.replaceWith(
      make("span", { className: "no-picture", textContent: "No preview of this format" })));
    this.body = make("div", { className: "body" });
    this.againButton = this.#button("Again", "Caption again", () => again(this));
    this.removeButton = this.#button("Remove", "Remove", () => remove(this));
    this.node = make("li", { className: "card" },
      make("div", { className: "frame" }, this.image),
      make("div", { className: "text" },
        make("p", { className: "quiet name" },
          make("span", { className: "file", textContent: file.name }), ` · ${bytes(file.size)}`),
        this.body));
    this.report("Waiting", null);
  }

  #button(label, purpose, onclick) {
    return make("button", { type: "button", className: "button small", textContent: label,
      "aria-label": `${purpose}: ${this.file.name}`, onclick });
  }

  // Show progress: `fraction` of 1, or null if it is unknown.
  report(text, fraction) {
    if (!this.progress?.isConnected) {
      this.progress = make("progress", { max: 1, "aria-label": `Progress of ${this.file.name}` });
      this.status = make("span");
      this.#fill("working", make("p", { className: "status" }, this.progress, this.status),
        this.#actions(this.removeButton));
    }
    this.status.textContent = fraction === null ? `${text}…` : `${text}, ${Math.round(fraction * 100)} %`;
    if (fraction === null) this.progress.removeAttribute("value");
    else this.progress.value = fraction;
  }

  showCaption(answer) {
    this.caption = answer.caption;
    this.image.alt = answer.caption;
    this.#fill("captioned",
      make("p", { className: "caption", textContent: answer.caption || "(an empty caption)" }),
      facts(answer),
      timing(answer),
      this.#actions(copyButtons(answer.caption, this.file.name), this.againButton, this.removeButton));
  }

  showError(error) {
    this.#fill("failed",
      make("p", { className: "problem", textContent: error.message }),
      error.requestId && make("p", { className: "quiet", textContent: `Request ${error.requestId}` }),
      this.#actions(this.againButton, this.removeButton));
  }

  // Stop its request, and begin a new one's life.
  restart() {
    this.abort.abort();
    this.abort = new AbortController();
    this.report("Waiting", null);
    return this.abort.signal;
  }

  remove() {
    this.abort.abort();
    URL.revokeObjectURL(this.image.src);
    this.node.remove();
  }

  // A focused button would lose the focus when it goes: then the heir of its place gets it.
  #fill(state, ...children) {
    const focused = this.body.contains(document.activeElement);
    this.node.dataset.state = state;
    this.body.replaceChildren(...children.filter(Boolean));
    if (focused && !this.body.contains(document.activeElement)) this.removeButton.focus();
  }

  #actions(...buttons) {
    return make("div", { className: "actions" }, ...buttons);
  }
}

function facts({ confidence, cached, uploaded }) {
  const percent = `${Math.floor(confidence * 100)} %`;
  return make("p", { className: "facts" },
    make("span", { className: "confidence" },
      make("meter", { min: 0, max: 1, value: confidence, "aria-label": "Confidence", textContent: percent }),
      `${percent} confident`),
    make("span", { className: cached ? "badge good" : "badge", textContent: cached ? "Cached" : "New" }),
    uploaded ? null : make("span", { className: "badge good", textContent: "No upload" }));
}

// A bar of the milliseconds, and the same in words. What is left of the whole is the way there
// and back.
function timing({ phases, elapsed }) {
  const known = phases.reduce((sum, [, duration]) => sum + duration, 0);
  const parts = [...phases, ["transfer", Math.max(0, elapsed - known)]];
  const shown = parts.filter(([, duration]) => duration >= elapsed / 100);
  const bar = make("div", { className: "phases", "aria-hidden": "true" }, ...parts.map(([name, duration]) => {
    const part = make("span", { "data-phase": name, title: `${name} ${milliseconds(duration)}` });
    part.style.flexGrow = duration;
    return part;
  }));
  const words = make("dl", { className: "timing" }, ...[["total", elapsed], ...shown].map(([name, duration]) =>
    make("div", { "data-phase": name }, make("dt", { textContent: name }),
      make("dd", { textContent: milliseconds(duration) }))));
  return make("div", {}, bar, words);
}
