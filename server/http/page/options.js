// The form of prompt and options, and the fields of a request that it stands for.

import { byId, plural } from "./dom.js";

const form = byId("options-form");
const RANGED = [
  "max_new_tokens", "num_beams", "repetition_penalty", "no_repeat_ngram_size", "length_penalty",
];

// Return {fields, refresh}: the API's fields that are set, and whether to skip the cache.
export function chosen() {
  const fields = {};
  for (const name of ["prompt", "style", "max_chars", ...RANGED]) {
    const text = form.elements[name].value.trim();
    if (text) fields[name] = text;
  }
  if (fields.prompt && form.elements.without_prompt.checked) fields.return_full_text = "false";
  return { fields, refresh: form.elements.refresh.checked };
}

// Show the served model's ranges, from /info.
export function limit(ranges) {
  for (const name of RANGED) {
    const { min, max } = ranges[name] ?? {};
    if (min === undefined) continue;
    const input = form.elements[name];
    input.min = min;
    input.max = max;
    input.placeholder = `${min} to ${max}`;
  }
}

// Call `again` when the form is sent. Say in the summary how many options are set.
export function watch(again) {
  const badge = byId("options-set");
  const count = () => {
    const { fields, refresh } = chosen();
    const set = Object.keys(fields).length + refresh;
    badge.hidden = !set;
    badge.textContent = `${set} set`;
  };
  form.addEventListener("input", count);
  // The fields are empty only after the event.
  form.addEventListener("reset", () => setTimeout(count));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    again();
  });
  count();
}

export function pictures(count) {
  const apply = byId("apply");
  apply.disabled = !count;
  apply.textContent = count ? `Caption ${plural(count, "picture")} again` : "Caption the pictures again";
}
