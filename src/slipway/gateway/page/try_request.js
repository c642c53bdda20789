// From what a form holds to a request, and to the curl command that makes the same one.
//
// A call has the path, the method, the media type to accept if one was chosen, what the operation
// takes as a body, and its entries: fields with the text or the file that was given.

import { JSON_TYPE, MULTIPART } from "./try_fields.js";

export async function requestOf(call) {
  for (const { name, schema, file } of call.entries) {
    const room = Math.floor((schema.maxLength ?? Infinity) * 3 / 4);
    if (file?.size > room) {
      throw new Error(`${name} has ${file.size} bytes, a URL has room for ${room}: choose POST`);
    }
  }
  for (const each of call.entries) {
    if (each.file) each.data = new Uint8Array(await each.file.arrayBuffer());
  }
  const type = bodyType(call);
  const body = type ? bodyOf(call, type) : undefined;
  const headers = headersOf(call);
  // The browser itself knows the type of a file, and the boundary of a form.
  if (typeof body === "string") headers.push(["Content-Type", type]);
  const method = call.method.toUpperCase();
  return new Request(address(call, queryOf(call)), { method, headers, body, cache: "no-store" });
}

export function commandOf(call) {
  const type = bodyType(call);
  const method = call.method.toUpperCase();
  const query = queryOf(call);
  const first = ["curl"];
  if (method === "HEAD") first.push("-I");
  else if (method !== (type ? "POST" : "GET")) first.push("-X", method);
  if (query.length && !type) first.push("-G");
  const lines = [[...first, quoted(address(call, type ? query : []))].join(" ")];
  for (const [name, value] of headersOf(call)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  lines.push(...(type ? bodyOptions(call, type) : query.map(queryOption)));
  // A terminal is no place for a picture.
  if (call.accept.startsWith("image/")) lines.push(`-o answer.${call.accept.slice(6)}`);
  return lines.join(" \\\n  ");
}

function queryOf({ entries }) {
  return entries.filter(({ where }) => where === "query");
}

function address({ path, entries }, query) {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => {
    const entry = entries.find((each) => each.where === "path" && each.name === name);
    return entry ? encodeURIComponent(textOf(entry)) : "";
  });
  // The page lies beside the routes, wherever these are mounted.
  const url = new URL(`.${filled}`, document.baseURI);
  query.forEach((each) => url.searchParams.append(each.name, textOf(each)));
  return url.href;
}

function headersOf({ entries, accept }) {
  const headers = entries.filter(({ where }) => where === "header")
    .map((each) => [each.name, textOf(each)]);
  return accept ? [...headers, ["Accept", accept]] : headers;
}

// Which of the ways that the route takes a body fits what is given; "" when no body is.
function bodyType({ body, entries }) {
  const given = entries.filter(({ where }) => ["body", "whole"].includes(where));
  if (!body || !given.length) return "";
  const isJson = given.every(({ where, isMember, kind }) =>
    where === "whole" || (isMember && (kind !== "file" || !(MULTIPART in body.content))));
  if (isJson && JSON_TYPE in body.content) return JSON_TYPE;
  return MULTIPART in body.content ? MULTIPART : Object.keys(body.content)[0];
}

function bodyOf({ entries }, type) {
  const whole = entries.find(({ where }) => where === "whole");
  if (whole) return whole.file ?? whole.text;
  const inBody = entries.filter(({ where }) => where === "body");
  if (type === JSON_TYPE) {
    const members = inBody.map((each) => `${JSON.stringify(each.name)}: ${literalOf(each)}`);
    return `{${members.join(", ")}}`;
  }
  const form = new FormData();
  inBody.forEach((each) => form.append(each.name, each.file ?? textOf(each)));
  return form;
}

// As text in a URL, a header or a form.
function textOf({ kind, text, encoding, file, data }) {
  if (kind === "file") return data ? base64(data, encoding) : `<base64 of ${file.name}>`;
  const value = kind === "choice" ? String(JSON.parse(text)) : text;
  return encoding ? base64(new TextEncoder().encode(value), encoding) : value;
}

// As JSON. A whole number stays as it was typed: one of 64 bits is more than Number holds.
function literalOf(each) {
  if (each.encoding || each.kind === "text") return JSON.stringify(textOf(each));
  const isLiteral = each.kind !== "number" || /^-?(0|[1-9]\d*)$/.test(each.text);
  return isLiteral ? each.text : JSON.stringify(Number(each.text));
}

function base64(bytes, encoding) {
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  if (encoding !== "base64url") return text;
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function queryOption(each) {
  if (!each.file) return `--data-urlencode ${quoted(`${each.name}=${textOf(each)}`)}`;
  const encode = `base64 < ${quoted(each.file.name)} | tr -d '\\n=' | tr '+/' '-_'`;
  return `--data-urlencode "${each.name}=$(${encode})"`;
}

function bodyOptions({ entries }, type) {
  const whole = entries.find(({ where }) => where === "whole");
  const typed = `-H ${quoted(`Content-Type: ${whole?.file?.type || type}`)}`;
  if (whole?.file) return [typed, `--data-binary ${quoted(`@${whole.file.name}`)}`];
  if (type !== MULTIPART) return [typed, `--data-raw ${quoted(bodyOf({ entries }, type))}`];
  return entries.filter(({ where }) => where === "body").map((each) =>
    each.file ? `-F ${quoted(`${each.name}=@${fileName(each.file)}`)}`
      : `--form-string ${quoted(`${each.name}=${textOf(each)}`)}`);
}

// curl takes what follows a comma for another file, and what follows a semicolon for its type.
function fileName({ name }) {
  return /[",;\\]/.test(name) ? `"${name.replace(/["\\]/g, "\\$&")}"` : name;
}
