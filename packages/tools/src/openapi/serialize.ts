/** How parameter values are written into a URL, a header or a cookie: the styles of OpenAPI 3. */
import type { Parameter } from "./spec.ts";

type Fields = readonly (readonly [string, unknown])[];
type Value =
  | { readonly kind: "one"; readonly text: string }
  | { readonly kind: "list"; readonly texts: readonly string[] }
  | { readonly kind: "fields"; readonly fields: Fields };

const plain = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));
const encode = encodeURIComponent;

function valueOf({ asJson }: Parameter, value: unknown): Value {
  if (asJson) return { kind: "one", text: JSON.stringify(value) ?? "" };
  if (Array.isArray(value)) return { kind: "list", texts: value.map(plain) };
  if (typeof value === "object" && value !== null)
    return { kind: "fields", fields: Object.entries(value).filter(([, field]) => field !== undefined) };
  return { kind: "one", text: plain(value) };
}

/** `name=value` pairs, ready for a query string. */
export function queryPairs(parameter: Parameter, given: unknown): string[] {
  const value = valueOf(parameter, given);
  const { style, explode } = parameter;
  const name = encode(parameter.name);
  const separator = { spaceDelimited: "%20", pipeDelimited: "|" }[style] ?? ",";
  if (value.kind === "one") return [`${name}=${encode(value.text)}`];
  if (value.kind === "list")
    return explode
      ? value.texts.map((text) => `${name}=${encode(text)}`)
      : [`${name}=${value.texts.map(encode).join(separator)}`];
  if (style === "deepObject") return deepPairs(name, value.fields);
  if (explode) return value.fields.map(([key, field]) => `${encode(key)}=${encode(plain(field))}`);
  return [`${name}=${value.fields.flatMap(([key, field]) => [encode(key), encode(plain(field))]).join(separator)}`];
}

const deepPairs = (prefix: string, fields: Fields): string[] =>
  fields.flatMap(([key, field]) => {
    const name = `${prefix}[${encode(key)}]`;
    if (Array.isArray(field)) return field.map((member) => `${name}=${encode(plain(member))}`);
    return typeof field === "object" && field !== null
      ? deepPairs(name, Object.entries(field))
      : [`${name}=${encode(plain(field))}`];
  });

const PATH_STYLES: Readonly<Record<string, { readonly lead: string; readonly between: string }>> = {
  simple: { lead: "", between: "," },
  label: { lead: ".", between: "." },
  matrix: { lead: ";", between: ";" },
};

/** The text that stands in the path. */
export function pathText(parameter: Parameter, given: unknown): string {
  const { style, explode } = parameter;
  const { lead, between } = PATH_STYLES[style] ?? { lead: "", between: "," };
  const name = encode(parameter.name);
  const value = valueOf(parameter, given);
  const named = (text: string): string => (style === "matrix" ? `${name}=${text}` : text);
  if (value.kind === "one") return lead + named(encode(value.text));
  const parts =
    value.kind === "list"
      ? value.texts.map((text) => (explode ? named(encode(text)) : encode(text)))
      : value.fields.map(([key, field]) => `${encode(key)}${explode ? "=" : ","}${encode(plain(field))}`);
  return explode ? lead + parts.join(between) : lead + named(parts.join(","));
}

/** Headers are not percent-encoded. */
export function headerText(parameter: Parameter, given: unknown): string {
  const value = valueOf(parameter, given);
  if (value.kind === "one") return value.text;
  if (value.kind === "list") return value.texts.join(",");
  return value.fields.map(([key, field]) => `${key}${parameter.explode ? "=" : ","}${plain(field)}`).join(",");
}
