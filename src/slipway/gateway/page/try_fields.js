// What a route takes, from openapi.json to the fields of a form.

export const JSON_TYPE = "application/json";
export const MULTIPART = "multipart/form-data";

// Each field has its name, where it goes (path, query, header, body, or whole: all of the body), a
// kind (text, number, choice, json, file), and the encoding that it is sent in, if there is one.
export function fieldsOf(api, operation) {
  const outside = (operation.parameters ?? []).map((each) => {
    const schema = each.schema ?? each.content[JSON_TYPE].schema;
    const kind = each.content ? { kind: "json" } : {};
    return field(api, each.name, each.in, schema, { required: each.required, ...kind });
  });
  return [...outside, ...bodyFieldsOf(api, operation.requestBody)];
}

function bodyFieldsOf(api, body) {
  if (!body) return [];
  const form = body.content[MULTIPART];
  const fields = resolved(api, form?.schema);
  const json = resolved(api, body.content[JSON_TYPE]?.schema);
  if (!fields.properties && !json.properties) {
    const [[type, media]] = Object.entries(body.content);
    const kind = { [JSON_TYPE]: "json", "text/plain": "text" }[type] ?? "file";
    const { required } = body;
    return [field(api, "body", "whole", media.schema, { kind, accept: type, required })];
  }
  const required = new Set([...(fields.required ?? []), ...(json.required ?? [])]);
  return Object.entries({ ...fields.properties, ...json.properties }).map(([name, schema]) => {
    const accept = form?.encoding?.[name]?.contentType ?? schema.contentMediaType;
    const isMember = name in (json.properties ?? {});
    return field(api, name, "body", schema, { accept, isMember, required: required.has(name) });
  });
}

function field(api, name, where, given, properties) {
  const schema = resolved(api, given);
  return { name, where, schema, kind: kindOf(schema), encoding: schema.contentEncoding,
    accept: schema.contentMediaType, ...properties };
}

function resolved(api, schema = {}) {
  if (schema.$ref) {
    const { $ref, ...rest } = schema;
    const named = $ref.split("/").slice(1).reduce((found, step) => found[step], api);
    return { ...resolved(api, named), ...rest };
  }
  // What may be null too is left out in a form.
  const kinds = (schema.anyOf ?? []).filter((kind) => kind.type !== "null");
  return kinds.length === 1 ? { ...schema, ...resolved(api, kinds[0]), anyOf: undefined } : schema;
}

function kindOf(schema) {
  const type = schema.contentMediaType;
  if (schema.format === "binary") return "file";
  if (schema.contentEncoding && ![JSON_TYPE, "text/plain"].includes(type)) return "file";
  if (type === JSON_TYPE) return "json";
  if (schema.enum || "const" in schema || schema.type === "boolean") return "choice";
  if (["integer", "number"].includes(schema.type)) return "number";
  return schema.type === "string" ? "text" : "json";
}
