/** A run's input: bounded, parsed with defaults, frozen. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import { sizeOf } from "../outputs/json.ts";
import { deepFreeze } from "../outputs/rows.ts";

const MAX_INPUT_BYTES = 1024 * 1024;
const MAX_DEPTH = 32;

/** Where a successor finds what its predecessor handed over, beside its input. It has its own limit (continuation.ts). */
export const CONTINUATION = "__smithersContinuation";

export function parseInput(schema: z.ZodType | null, given: unknown): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given)) throw invalid("must be an object");
  const { [CONTINUATION]: handedOver, ...input } = given as Readonly<Record<string, unknown>>;
  if (depthOver(input, MAX_DEPTH)) throw invalid(`is nested deeper than ${MAX_DEPTH}`);
  const text = attempted("cannot be written as JSON", () => JSON.stringify(input));
  const sizeBytes = sizeOf(text);
  if (sizeBytes > MAX_INPUT_BYTES) throw invalid(`is ${sizeBytes} bytes of JSON; the limit is ${MAX_INPUT_BYTES}`);
  // As the store gives it back: a resumed run must see what the first frame saw.
  const parsed = attempted("does not fit", () => (schema ?? z.unknown()).safeParse(JSON.parse(text)));
  if (!parsed.success) throw invalid(`does not fit: ${z.prettifyError(parsed.error)}`);
  const own = attempted("is no plain data once parsed", () => structuredClone(parsed.data));
  return deepFreeze(handedOver === undefined ? own : Object.assign(own as object, { [CONTINUATION]: handedOver }));
}

/** A schema may throw, or be async, or make something that is no data. */
function attempted<T>(problem: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw invalid(`${problem}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const invalid = (problem: string): SmoothError => new SmoothError("INVALID_INPUT", `the workflow's input ${problem}`);

function depthOver(value: unknown, left: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value).some((inner) => depthOver(inner, left - 1));
}
