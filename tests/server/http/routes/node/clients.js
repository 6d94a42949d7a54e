// Caption a picture with the official npm clients and print what they return as JSON.
// Usage: node clients.js URL KEY PICTURE
import { readFileSync } from "node:fs";
import { Ollama } from "ollama";
import OpenAI from "openai";

const [url, key, path] = process.argv.slice(2);
const picture = readFileSync(path).toString("base64");
const dataUrl = `data:image/png;base64,${picture}`;

const ollama = new Ollama({ host: url, headers: { Authorization: `Bearer ${key}` } });
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });

const message = { role: "user", content: "What is this?", images: [picture] };
const parts = [
  { type: "text", text: "What is this?" },
  { type: "image_url", image_url: { url: dataUrl } },
];
const input = [
  {
    role: "user",
    content: [
      { type: "input_text", text: "What is this?" },
      { type: "input_image", image_url: dataUrl, detail: "auto" },
    ],
  },
];

async function joined(stream, text) {
  let all = "";
  for await (const piece of stream) all += text(piece) ?? "";
  return all;
}

async function error(call) {
  try {
    await call();
    return null;
  } catch (exc) {
    return exc.status ?? exc.status_code ?? String(exc);
  }
}

const chat = { model: "gpt-4o", messages: [{ role: "user", content: parts }] };
const wrong = new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong", maxRetries: 0 });

console.log(
  JSON.stringify({
    generate: (await ollama.generate({ model: "b", prompt: "x", images: [picture] })).response,
    chat: (await ollama.chat({ model: "b", messages: [message] })).message.content,
    chat_stream: await joined(
      await ollama.chat({ model: "b", messages: [message], stream: true }),
      (each) => each.message.content,
    ),
    list: (await ollama.list()).models.map((each) => each.name),
    completion: (await openai.chat.completions.create(chat)).choices[0].message.content,
    completion_stream: await joined(
      await openai.chat.completions.create({ ...chat, stream: true }),
      (each) => each.choices[0]?.delta?.content,
    ),
    response: (await openai.responses.create({ model: "gpt-4o", input })).output_text,
    response_stream: await joined(
      await openai.responses.create({ model: "gpt-4o", input, stream: true }),
      (each) => (each.type === "response.output_text.delta" ? each.delta : ""),
    ),
    wrong_key: await error(() => wrong.chat.completions.create(chat)),
    no_picture: await error(() =>
      openai.chat.completions.create({
        model: "m",
        messages: [
          {
            role: "user",
            content: [{ type: "image_url", image_url: { url: "data:;base64,dGV4dA==" } }],
          },
        ],
      }),
    ),
  }),
);
