// Makes a form for each route that openapi.json describes, sends it, and shows what comes back.

import { clearAnswer, showAnswer, showProblem } from "./try_answer.js";
import { byId, element } from "./try_elements.js";
import { fieldsOf } from "./try_fields.js";
import { commandOf, requestOf } from "./try_request.js";

let api;
// The route on the page: its path, its method, and its fields with their controls.
let shown;

function showRoute() {
  const links = [...byId("routes").querySelectorAll("a")];
  const current = links.find((link) => link.hash === location.hash) ?? links[0];
  links.forEach((link) => { link.ariaCurrent = link === current ? "page" : null; });
  const path = current.dataset.path;
  const methods = Object.keys(api.paths[path]);
  shown = { path, fields: [] };
  byId("path").textContent = path;
  document.title = `${path} · Slipway gateway`;
  const usual = methods.includes("post") ? "post" : methods[0];
  choose("methods", "method", methods.map((method) => [method, method.toUpperCase()]), usual);
  clearAnswer("Nothing was sent yet.");
  showOperation();
}

function showOperation() {
  const method = byId("form").elements.method.value;
  const operation = api.paths[shown.path][method];
  const before = new Map(shown.fields.map(({ name, control }) => [name, control]));
  const fields = fieldsOf(api, operation);
  shown = { path: shown.path, method, fields, body: operation.requestBody };
  byId("summary").textContent = operation.summary ?? "";
  byId("description").textContent = operation.description ?? "";
  byId("fields").replaceChildren(...shown.fields.map(fieldElement));
  shown.fields.forEach((each) => keep(each, before.get(each.name)));
  const types = Object.keys(operation.responses[200]?.content ?? {});
  choose("accepts", "accept", types.map((type) => [type, type]), types[0]);
  showCommand();
}

function choose(id, name, options, chosen) {
  const choices = options.map(([value, label]) => element("label", {},
    element("input", { type: "radio", name, value, checked: value === chosen }), label));
  byId(id).replaceChildren(byId(id).querySelector("legend"), ...choices);
  byId(id).hidden = options.length < 2;
}

// What was given for another method of the route stays.
function keep(each, before) {
  if (before?.type !== each.control.type) return;
  if (each.kind === "file") each.control.files = before.files;
  else each.control.value = before.value;
  showPreview(each);
}

function fieldElement(each) {
  const { name, kind, schema, encoding, required } = each;
  const id = `field-${each.where}-${name}`;
  const control = Object.assign(controlOf(each), { id, ariaRequired: String(Boolean(required)) });
  control.setAttribute("aria-describedby", `${id}-hint`);
  control.addEventListener("input", () => { showPreview(each); showCommand(); });
  const preview = element("img", { className: "preview", alt: `Preview of ${name}`, hidden: true,
    onerror: () => { preview.hidden = true; } });
  Object.assign(each, { control, preview });
  const type = (schema.contentSchema ?? schema).type;
  const kinds = { json: { array: "list in JSON", object: "object in JSON" }[type] ?? "JSON",
    number: type, choice: "one of" };
  const facts = [required ? "required" : "optional", kinds[kind] ?? kind];
  if (encoding && kind !== "file") facts.push(`sent in ${encoding}`);
  return element("div", { className: "field" },
    element("label", { htmlFor: id, className: "code" }, name),
    element("span", { className: "hint", id: `${id}-hint` }, facts.join(", ")),
    element("p", { className: "hint", hidden: !schema.description }, schema.description ?? ""),
    control, preview);
}

function controlOf({ kind, where, schema, accept }) {
  const { default: usual, examples: [example] = [] } = schema.contentSchema ?? schema;
  const typed = (value) => (value === undefined || kind === "text" ? value ?? ""
    : JSON.stringify(value));
  const texts = { placeholder: typed(usual), value: typed(example) };
  if (kind === "file") {
    return element("input", { type: "file", accept: accept === "image/*" ? accept : "" });
  }
  if (kind === "number") return element("input", { type: "number", step: "any", ...texts });
  if (kind === "choice") {
    const values = schema.enum ?? ("const" in schema ? [schema.const] : [true, false]);
    return element("select", {},
      element("option", { value: "" }, usual === undefined ? "" : `${usual}, when left out`),
      ...values.map((value) => element("option", { value: JSON.stringify(value) }, String(value))));
  }
  if (kind === "text" && ["path", "header"].includes(where)) return element("input", texts);
  const className = kind === "json" ? "code" : "";
  return element("textarea", { rows: 2, spellcheck: false, className, ...texts });
}

function showPreview({ kind, control, preview }) {
  if (kind !== "file") return;
  URL.revokeObjectURL(preview.src);
  const file = control.files[0];
  preview.hidden = !file?.type.startsWith("image/");
  if (!preview.hidden) preview.src = URL.createObjectURL(file);
}

// An empty control leaves its field out, but for a text that must be there: that may be empty.
function call() {
  const entries = shown.fields
    .map((each) => ({ ...each, text: each.control.value, file: each.control.files?.[0] }))
    .filter(({ kind, text, file, required }) =>
      (kind === "file" ? file : text || (required && kind === "text")));
  const accept = byId("accepts").hidden ? "" : byId("form").elements.accept.value;
  return { ...shown, entries, accept };
}

function showCommand() {
  byId("curl").textContent = commandOf(call());
}

async function send(event) {
  event.preventDefault();
  const answer = byId("answer");
  if (answer.ariaBusy === "true") return;
  const { path } = shown;
  answer.ariaBusy = "true";
  clearAnswer("Sending…");
  try {
    const sent = call();
    const request = await requestOf(sent);
    const begin = performance.now();
    const response = await fetch(request);
    const content = await response.blob();
    const ms = performance.now() - begin;
    const files = sent.entries.filter(({ file }) => file);
    if (path === shown.path) await showAnswer(response, content, ms, files);
  } catch (error) {
    showProblem(error instanceof TypeError ? "The gateway did not answer." : error.message);
  } finally {
    answer.ariaBusy = "false";
    answer.scrollIntoView({ block: "nearest" });
  }
}

async function copyCommand() {
  const curl = byId("curl");
  try {
    await navigator.clipboard.writeText(curl.textContent);
    byId("copy").textContent = "Copied";
  } catch {
    // Over plain HTTP from another machine a page has no clipboard.
    getSelection().selectAllChildren(curl);
    byId("copy").textContent = "Selected";
  }
  setTimeout(() => { byId("copy").textContent = "Copy"; }, 2000);
}

async function start() {
  const response = await fetch("openapi.json");
  api = await response.json();
  if (!response.ok) throw new Error(api.error);
  const paths = Object.entries(api.paths);
  if (!paths.length) throw new Error("this gateway has none");
  byId("routes").append(...paths.map(([path, operations]) => {
    const methods = Object.keys(operations).join(" ").toUpperCase();
    const link = element("a", { href: `#${path}` }, path, " ", element("small", {}, methods));
    link.dataset.path = path;
    return element("li", {}, link);
  }));
  byId("methods").addEventListener("change", showOperation);
  byId("accepts").addEventListener("change", showCommand);
  byId("copy").addEventListener("click", copyCommand);
  byId("form").addEventListener("submit", send);
  byId("form").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
  });
  addEventListener("hashchange", () => { showRoute(); byId("path").focus(); });
  showRoute();
  byId("notice").hidden = true;
  byId("route").hidden = false;
}

start().catch((error) => {
  byId("notice").textContent = `The routes cannot be read: ${error.message}`;
});
