/** How a row names a blob: a cell by the bytes of its SHA-256, a heartbeat by an object with the hex of it. */
import type { JsonValue } from "../outputs/json.ts";

export const REF = "$blob";

export function blobOf(payload: JsonValue): string | null {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return null;
  const sha256 = (payload as Readonly<Record<string, JsonValue>>)[REF];
  return typeof sha256 === "string" ? sha256 : null;
}

export const fromHex = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

export const toHex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
