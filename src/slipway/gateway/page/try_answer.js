// Shows what came back: the status, the time, pictures beside the photos that were sent, the text.

import { byId, element } from "./try_elements.js";

const PNG_IN_BASE64 = "iVBORw0KGgo";
let pictureUrls = [];

export function clearAnswer(outcome) {
  pictureUrls.forEach((url) => URL.revokeObjectURL(url));
  pictureUrls = [];
  byId("outcome").replaceChildren(outcome);
  byId("pictures").replaceChildren();
  for (const id of ["problem", "body"]) showText(id, "");
}

export function showProblem(message) {
  clearAnswer("Nothing came back.");
  showText("problem", message);
}

export async function showAnswer(response, content, ms, files) {
  const status = element("span", { className: response.ok ? "status" : "status failed" },
    `${response.status} ${response.statusText}`);
  byId("outcome").replaceChildren(status, `${ms.toFixed(ms < 10 ? 1 : 0)} ms`);
  if (content.type.startsWith("image/")) {
    showPictures(files, [["answer", urlOf(content)]]);
    return;
  }
  if (!/json|^text\/|^$/.test(content.type)) {
    byId("outcome").append(`, ${content.size} bytes of ${content.type}`);
    return;
  }
  const text = await content.text();
  const answer = parsed(text);
  if (!response.ok && answer?.error) showText("problem", answer.error);
  else showText("body", answer === undefined ? text : written(answer));
  showPictures(files, picturesIn(answer));
}

function showText(id, text) {
  byId(id).textContent = text;
  byId(id).hidden = !text;
}

// Numbers stay as they were sent: one of 64 bits is more than Number holds.
function parsed(text) {
  const exact = (_, value, context) =>
    (typeof value === "number" && JSON.rawJSON ? JSON.rawJSON(context.source) : value);
  try {
    return JSON.parse(text, exact);
  } catch {
    return undefined;
  }
}

function isPlain(value) {
  return typeof value !== "object" || value === null || Boolean(JSON.isRawJSON?.(value));
}

// As JSON.stringify indents it, but for rows of numbers, which stay rows.
function written(value, indent = "") {
  if (typeof value === "string" && value.startsWith(PNG_IN_BASE64)) {
    return `"${value.slice(0, 16)}…" (${value.length} characters, the picture above)`;
  }
  if (isPlain(value)) return JSON.stringify(value);
  const isList = Array.isArray(value);
  if (isList && value.every(isPlain)) return `[${value.map((each) => written(each)).join(", ")}]`;
  const inner = `${indent}  `;
  const items = Object.entries(value).map(([name, each]) =>
    (isList ? "" : `${JSON.stringify(name)}: `) + written(each, inner));
  const [open, close] = isList ? "[]" : "{}";
  if (!items.length) return open + close;
  return `${open}\n${inner}${items.join(`,\n${inner}`)}\n${indent}${close}`;
}

function picturesIn(value, name = "answer") {
  if (typeof value === "string") {
    return value.startsWith(PNG_IN_BASE64) ? [[name, `data:image/png;base64,${value}`]] : [];
  }
  if (isPlain(value)) return [];
  return Object.entries(value).flatMap(([key, each]) => picturesIn(each, key));
}

function urlOf(blob) {
  const url = URL.createObjectURL(blob);
  pictureUrls.push(url);
  return url;
}

// What was sent stands beside what came back, in the same width.
function showPictures(files, pictures) {
  if (!pictures.length) return;
  const photos = files.filter(({ file }) => file.type.startsWith("image/"));
  byId("pictures").replaceChildren(
    ...photos.map(({ name, file }) => figure(name, urlOf(file))),
    ...pictures.map(([name, url]) =>
      figure(name, url, element("a", { href: url, download: `${name}.png` }, "Save"))),
  );
}

function figure(name, url, ...more) {
  const size = element("span", { className: "hint" });
  const image = element("img", { src: url, alt: name,
    onload: () => { size.textContent = `${image.naturalWidth} × ${image.naturalHeight}`; } });
  const label = element("span", { className: "code" }, name);
  return element("figure", {}, image, element("figcaption", {}, label, size, ...more));
}
