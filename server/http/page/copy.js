// A caption as text, as an HTML attribute and as Markdown, and the way to the clipboard.

import { announce, make } from "./dom.js";

// What a screen reader has already said. As in server/inference/rendering.py.
const ANNOUNCEMENT =
  /^\s*(?:(?:this is )?(?:an? )?(?:picture|image|photo|photograph) of|there (?:is|are))\s+/i;

// Return a caption as an alternative text: a sentence without "a picture of".
export function altText(caption) {
  const body = (caption.replace(ANNOUNCEMENT, "") || caption).trim().replace(/[ .]+$/, "");
  return body && `${body[0].toUpperCase()}${body.slice(1)}.`;
}

const ENTITIES = { "&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;" };

export const altAttribute = (caption) =>
  `alt="${altText(caption).replace(/[&"<>]/g, (character) => ENTITIES[character])}"`;

export function markdown(caption, name) {
  const text = altText(caption).replace(/[\\[\]]/g, "\\$&");
  // Angle brackets allow blanks and parentheses in the address.
  return `![${text}](<${name.replace(/[<>\\]/g, "\\$&")}>)`;
}

// A group of buttons that copy a caption, one for each form.
export function copyButtons(caption, name) {
  const forms = [
    ["text", caption],
    ["alt", altAttribute(caption)],
    ["Markdown", markdown(caption, name)],
  ];
  const buttons = forms.map(([label, text]) =>
    make("button", { type: "button", className: "button small", textContent: label,
      "aria-label": `Copy ${label} of ${name}`, onclick: ({ currentTarget }) => copy(text, currentTarget) }));
  return make("span", { className: "copies", role: "group", "aria-label": `Copy the caption of ${name}` },
    make("span", { className: "quiet", textContent: "Copy", "aria-hidden": "true" }), ...buttons);
}

export async function copy(text, button) {
  const label = button.textContent;
  if (!(await written(text)) && !selected(text, button)) return;
  announce(`Copied: ${text}`);
  button.textContent = "Copied";
  button.classList.add("done");
  setTimeout(() => {
    button.textContent = label;
    button.classList.remove("done");
  }, 1500);
}

async function written(text) {
  try {
    // navigator.clipboard does not exist on http:// of another machine.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

// Copy by a selection. If the browser refuses that too, leave the text selected for the person.
function selected(text, button) {
  const area = make("textarea", { value: text, readOnly: true, className: "selection",
    "aria-label": "Copy this text" });
  button.after(area);
  area.select();
  if (document.execCommand("copy")) {
    area.remove();
    button.focus();
    return true;
  }
  announce("The text is selected; copy it.");
  area.addEventListener("blur", () => area.remove());
  return false;
}
