// The API key. It stays in this tab: in sessionStorage, or in memory where that is turned off.

import { byId } from "./dom.js";

const NAME = "caption-server:key";
let key = stored();
let asking = null;

function stored() {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

export const current = () => key;

// Ask for a key that replaces `refused`, in one dialog for all requests that wait for it.
// Return whether there is another key now.
export async function ask(refused) {
  if (key !== refused) return true;
  asking ??= open().finally(() => { asking = null; });
  return asking;
}

function open() {
  const dialog = byId("key-dialog");
  const input = byId("key");
  const wrong = byId("key-wrong");
  wrong.hidden = !key;
  input.value = "";
  dialog.returnValue = "cancel";
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const given = input.value.trim();
      input.value = "";
      if (dialog.returnValue !== "use" || !given) return resolve(false);
      key = given;
      try {
        sessionStorage.setItem(NAME, key);
      } catch {
        // The key is asked for again after a reload.
      }
      return resolve(true);
    }, { once: true });
  });
}
