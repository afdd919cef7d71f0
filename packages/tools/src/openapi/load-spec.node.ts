/** Reads an OpenAPI document: a parsed one, JSON or YAML text, a file, or a URL. */
import { readFile } from "node:fs/promises";
import { SmoothError } from "@smooth/protocol/errors";
import { isObject, type JsonObject, type OpenApiDocument } from "./spec.ts";

/** A document as large as this is a mistake, or an attack. */
const MAX_BYTES = 20 * 1024 * 1024;
const LOAD_TIMEOUT_MS = 30_000;

/** Throws OPENAPI_SPEC_LOAD_FAILED with where it was read from and what is wrong. */
export async function loadSpec(given: string | object): Promise<OpenApiDocument> {
  if (typeof given !== "string") return checked(given, null, "the given object");
  if (given.includes("\n") || given.trimStart().startsWith("{"))
    return checked(await parsed(given, "the given text"), null, "the given text");
  const isUrl = /^https?:\/\//i.test(given);
  const text = await (isUrl ? download(given) : readFile(given, "utf8")).catch((cause: unknown) => {
    throw failed(given, String(cause instanceof Error ? cause.message : cause), cause);
  });
  return checked(await parsed(text, given), isUrl ? given : null, given);
}

async function download(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(LOAD_TIMEOUT_MS) });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const text = await response.text();
  if (text.length > MAX_BYTES) throw new Error(`longer than ${MAX_BYTES} bytes`);
  return text;
}

/** YAML holds JSON; aliases are bounded, so that a small text cannot become a huge document. */
async function parsed(text: string, from: string): Promise<unknown> {
  // Every workflow imports the door to these tools; few read a document.
  const { parse } = await import("yaml");
  try {
    return parse(text, { maxAliasCount: 1_000 }) as unknown;
  } catch (cause) {
    throw failed(from, "it is neither JSON nor YAML", cause);
  }
}

function checked(root: unknown, url: string | null, from: string): OpenApiDocument {
  if (!isObject(root)) throw failed(from, "it is not an object");
  const version = root["openapi"];
  if (typeof version !== "string" || !version.startsWith("3."))
    throw failed(from, `it says openapi: ${JSON.stringify(version ?? root["swagger"])}; versions 3.x are read`);
  return { root: root as JsonObject, url };
}

const failed = (from: string, problem: string, cause?: unknown): SmoothError =>
  new SmoothError("OPENAPI_SPEC_LOAD_FAILED", `cannot use ${from} as an OpenAPI document: ${problem}`, { cause });
