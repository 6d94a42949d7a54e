// Caption a picture: node caption.mjs PICTURE [URL]. Needs Node.js 20 or newer and no package.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

async function caption(picture, url = "http://127.0.0.1:8000") {
  const form = new FormData();
  form.append("image", new Blob([await readFile(picture)]), basename(picture));
  const response = await fetch(`${url}/caption`, { method: "POST", body: form });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.error} (${answer.error_type})`);
  return answer.caption;
}

try {
  console.log(await caption(...process.argv.slice(2)));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
