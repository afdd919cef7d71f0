/** From the arguments of a call to the request that is sent. Pure; refuses by throwing INVALID_INPUT with the parameter named.
 *  O3. An argument never changes which resource is asked: `.` and `..` in the path are refused.
 *  O6. Without its whole credential nothing is sent: `Bearer undefined` helps nobody. Refused by CONFIG_INVALID. */
import { SmoothError } from "@smooth/protocol/errors";
import { headerText, pathText, queryPairs } from "./serialize.ts";
import type { Operation, Parameter, RequestBody } from "./spec.ts";

export type OpenApiAuth =
  | { readonly type: "none" }
  | { readonly type: "bearer"; readonly token: string }
  | { readonly type: "basic" | "basicAuth"; readonly username: string; readonly password: string }
  | {
      readonly type: "apiKey";
      readonly name: string;
      readonly in: "header" | "query" | "cookie";
      readonly value: string;
    };

export interface HttpRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | FormData | null;
}

export interface RequestPlan {
  readonly operation: Operation;
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly auth: OpenApiAuth;
  /** Argument name of each parameter. */
  readonly names: ReadonlyMap<Parameter, string>;
}

export function requestOf(plan: RequestPlan, args: Readonly<Record<string, unknown>>): HttpRequest {
  const { operation, auth } = plan;
  checkWhole(auth);
  const given = operation.parameters.flatMap((parameter) => {
    const value = args[plan.names.get(parameter) ?? parameter.name];
    return value === undefined ? [] : [{ parameter, value }];
  });
  const placed = (place: Parameter["in"]) => given.filter(({ parameter }) => parameter.in === place);
  const query = placed("query").flatMap(({ parameter, value }) => queryPairs(parameter, value));
  const cookies = placed("cookie").flatMap(({ parameter, value }) => queryPairs(parameter, value));
  const headers = new Headers({ accept: "application/json, */*;q=0.5", ...plan.headers });
  for (const { parameter, value } of placed("header")) headers.set(parameter.name, headerText(parameter, value));

  if (auth.type === "bearer") headers.set("authorization", `Bearer ${auth.token}`);
  if (auth.type === "basic" || auth.type === "basicAuth") headers.set("authorization", basic(auth));
  if (auth.type === "apiKey" && auth.in === "header") headers.set(auth.name, auth.value);
  const key = auth.type === "apiKey" ? `${encodeURIComponent(auth.name)}=${encodeURIComponent(auth.value)}` : "";
  if (auth.type === "apiKey" && auth.in === "query") query.push(key);
  if (auth.type === "apiKey" && auth.in === "cookie") cookies.push(key);
  if (cookies.length > 0) headers.set("cookie", cookies.join("; "));

  const body = operation.body && args["body"] !== undefined ? bodyText(operation.body, args["body"]) : null;
  if (typeof body === "string" && operation.body) headers.set("content-type", operation.body.mediaType);
  return {
    url: urlOf(plan, { given: placed("path"), query }),
    method: operation.method.toUpperCase(),
    headers: Object.fromEntries(headers),
    body,
  };
}

const PARTS: ReadonlyMap<string, readonly string[]> = new Map([
  ["none", []],
  ["bearer", ["token"]],
  ["basic", ["username", "password"]],
  ["basicAuth", ["username", "password"]],
  ["apiKey", ["name", "in", "value"]],
]);

/** O6. An environment variable that is not set has no type to warn of it. */
function checkWhole(auth: OpenApiAuth): void {
  const given = new Map<string, unknown>(Object.entries(auth));
  const parts = PARTS.get(auth.type);
  if (!parts) throw new SmoothError("CONFIG_INVALID", `there is no auth ${auth.type}`);
  const missing = parts.find((part) => typeof given.get(part) !== "string");
  if (missing !== undefined) throw new SmoothError("CONFIG_INVALID", `the auth ${auth.type} has no ${missing}`);
}

interface Given {
  readonly parameter: Parameter;
  readonly value: unknown;
}

function urlOf(
  { operation, baseUrl }: RequestPlan,
  { given, query }: { given: readonly Given[]; query: readonly string[] },
): string {
  const path = given.reduce((so, { parameter, value }) => {
    const text = pathText(parameter, value);
    if (/^(?:\.|%2e){0,2}$/i.test(text))
      throw new SmoothError(
        "INVALID_INPUT",
        `${parameter.name} cannot be ${JSON.stringify(value)}: it would lead to another path`,
      ); // O3
    return so.replaceAll(`{${parameter.name}}`, () => text);
  }, operation.path);
  const url = new URL(baseUrl);
  url.pathname = `${url.pathname.replace(/\/$/, "")}${path.startsWith("/") ? "" : "/"}${path}`;
  url.search = [url.search.slice(1), ...query].filter(Boolean).join("&");
  return url.href;
}

/** UTF-8, as RFC 7617 allows. */
const basic = ({ username, password }: { username: string; password: string }): string =>
  `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;

const FORM_FIELD = { in: "query", style: "form", explode: true, asJson: false } as const;

function bodyText({ mediaType, ...body }: RequestBody, value: unknown): string | FormData {
  const fields = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (mediaType.startsWith("multipart/form-data")) return formOf(fields);
  if (mediaType.startsWith("application/x-www-form-urlencoded"))
    return fields.flatMap(([name, field]) => queryPairs({ ...body, ...FORM_FIELD, name }, field)).join("&");
  return typeof value === "string" && !/json\b/.test(mediaType) ? value : JSON.stringify(value);
}

function formOf(fields: readonly (readonly [string, unknown])[]): FormData {
  const form = new FormData();
  for (const [name, value] of fields)
    for (const member of Array.isArray(value) ? value : [value])
      form.append(name, typeof member === "string" ? member : (JSON.stringify(member) ?? ""));
  return form;
}
