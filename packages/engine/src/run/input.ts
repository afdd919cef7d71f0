/** A run's input: bounded, parsed with defaults, frozen. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import { deepFreeze } from "../outputs/rows.ts";

const MAX_INPUT = 1024 * 1024;
const MAX_DEPTH = 32;

/** Where a successor finds what its predecessor handed over, beside its input. It has its own limit (continuation.ts). */
export const CONTINUATION = "__smithersContinuation";

export function parseInput(schema: z.ZodType | null, given: unknown): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given)) throw invalid("must be an object");
  const { [CONTINUATION]: handedOver, ...input } = given as Readonly<Record<string, unknown>>;
  if (depthOver(input, MAX_DEPTH)) throw invalid(`is nested deeper than ${MAX_DEPTH}`);
  const text = JSON.stringify(input);
  if (text.length > MAX_INPUT) throw invalid(`is ${text.length} characters of JSON; the limit is ${MAX_INPUT}`);
  const parsed = (schema ?? z.unknown()).safeParse(input);
  if (!parsed.success) throw invalid(`does not fit: ${z.prettifyError(parsed.error)}`);
  const own = structuredClone(parsed.data);
  return deepFreeze(handedOver === undefined ? own : Object.assign(own as object, { [CONTINUATION]: handedOver }));
}

const invalid = (problem: string): SmoothError => new SmoothError("INVALID_INPUT", `the workflow's input ${problem}`);

function depthOver(value: unknown, left: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value).some((inner) => depthOver(inner, left - 1));
}
