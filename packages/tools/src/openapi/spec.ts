/** An OpenAPI 3 document and its operations, as plain values.
 *  O1. References are followed inside the document only; one that leads nowhere, outside, or back to itself is refused by name. */
import { SmoothError } from "@smooth/protocol/errors";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export interface OpenApiDocument {
  readonly root: JsonObject;
  /** Where it was read from, for servers with a relative URL. */
  readonly url: string | null;
}

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"] as const;
export type HttpMethod = (typeof METHODS)[number];

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header" | "cookie";
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonObject;
  /** The value travels as JSON text. */
  readonly asJson: boolean;
  readonly style: string;
  readonly explode: boolean;
}

export interface RequestBody {
  readonly mediaType: string;
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonObject;
}

export interface Operation {
  readonly operationId: string;
  readonly method: HttpMethod;
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly parameters: readonly Parameter[];
  readonly body: RequestBody | null;
  readonly server: string | null;
}

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const objectOr = (value: unknown): JsonObject => (isObject(value) ? value : {});
const textOr = (value: unknown, other: string): string => (typeof value === "string" ? value : other);

/** O1. Throws OPENAPI_SPEC_LOAD_FAILED. */
export function resolve({ root }: OpenApiDocument, given: Json | undefined): JsonObject {
  const seen = new Set<string>();
  let value = given;
  while (isObject(value) && typeof value["$ref"] === "string") {
    const ref = value["$ref"];
    if (seen.has(ref)) throw broken(ref, "leads back to itself");
    seen.add(ref);
    if (!ref.startsWith("#")) throw broken(ref, "leads out of the document; bundle the document first");
    value = pointed(root, ref);
    if (value === undefined) throw broken(ref, "leads nowhere");
  }
  return objectOr(value);
}

const broken = (ref: string, problem: string): SmoothError =>
  new SmoothError("OPENAPI_SPEC_LOAD_FAILED", `the reference ${ref} ${problem}`, { details: { ref } });

function pointed(root: JsonObject, ref: string): Json | undefined {
  let value: Json | undefined = root;
  for (const part of ref.slice(2).split("/").filter(Boolean)) {
    const key = decoded(part).replaceAll("~1", "/").replaceAll("~0", "~");
    value = Array.isArray(value)
      ? value[Number(key)]
      : isObject(value) && Object.hasOwn(value, key)
        ? value[key]
        : undefined;
  }
  return value;
}

/** A stray percent sign is part of the name. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** In the order of the document. Throws OPENAPI_SPEC_LOAD_FAILED. */
export function operationsOf(document: OpenApiDocument): Operation[] {
  return Object.entries(objectOr(document.root["paths"])).flatMap(([path, given]) => {
    const item = resolve(document, given);
    return METHODS.filter((method) => isObject(item[method])).map((method) =>
      operationOf(document, { path, method, item }),
    );
  });
}

interface Place {
  readonly path: string;
  readonly method: HttpMethod;
  readonly item: JsonObject;
}

function operationOf(document: OpenApiDocument, { path, method, item }: Place): Operation {
  const operation = objectOr(item[method]);
  // The operation's own parameters stand for those of its path.
  const parameters = new Map(
    [item["parameters"], operation["parameters"]]
      .flatMap((list) => (Array.isArray(list) ? list : []))
      .map((given: Json) => parameterOf(document, given))
      .map((parameter) => [`${parameter.in} ${parameter.name}`, parameter] as const),
  );
  return {
    operationId: textOr(operation["operationId"], `${method}_${path}`),
    method,
    path,
    summary: textOr(operation["summary"], textOr(item["summary"], "")),
    description: textOr(operation["description"], textOr(item["description"], "")),
    parameters: [...parameters.values()],
    body: operation["requestBody"] === undefined ? null : bodyOf(document, operation["requestBody"]),
    server: serverOf([operation, item, document.root]),
  };
}

function parameterOf(document: OpenApiDocument, given: Json): Parameter {
  const parameter = resolve(document, given);
  const place = parameter["in"];
  const name = parameter["name"];
  if (typeof name !== "string" || (place !== "path" && place !== "query" && place !== "header" && place !== "cookie"))
    throw new SmoothError(
      "OPENAPI_SPEC_LOAD_FAILED",
      `a parameter has no name or no place: ${JSON.stringify(parameter).slice(0, 200)}`,
    );
  const [content] = Object.values(objectOr(parameter["content"]));
  const style = textOr(parameter["style"], place === "query" || place === "cookie" ? "form" : "simple");
  const explode = parameter["explode"];
  return {
    name,
    in: place,
    required: place === "path" || parameter["required"] === true,
    description: textOr(parameter["description"], ""),
    schema: objectOr(content === undefined ? parameter["schema"] : objectOr(content)["schema"]),
    asJson: content !== undefined,
    style,
    explode: typeof explode === "boolean" ? explode : style === "form",
  };
}

/** The media types we can write, the best first. */
const WRITABLE = [
  /^application\/([\w.-]+\+)?json\b/,
  /^application\/x-www-form-urlencoded\b/,
  /^multipart\/form-data\b/,
  /^text\//,
  /./,
];

function bodyOf(document: OpenApiDocument, given: Json): RequestBody | null {
  const body = resolve(document, given);
  const content = objectOr(body["content"]);
  const types = Object.keys(content);
  const mediaType = WRITABLE.map((wanted) => types.find((type) => wanted.test(type))).find(Boolean);
  if (mediaType === undefined) return null;
  return {
    mediaType,
    required: body["required"] === true,
    description: textOr(body["description"], ""),
    schema: objectOr(objectOr(content[mediaType])["schema"]),
  };
}

/** The first server of the operation, else of its path, else of the document, with its variables at their defaults. */
function serverOf(places: readonly JsonObject[]): string | null {
  const [server] = places.flatMap(({ servers }) => (Array.isArray(servers) ? servers.slice(0, 1) : []));
  if (!isObject(server) || typeof server["url"] !== "string") return null;
  const variables = objectOr(server["variables"]);
  return server["url"].replaceAll(/\{(\w+)\}/g, (whole, name: string) =>
    textOr(objectOr(variables[name])["default"], whole),
  );
}
