/** A run's input: bounded, parsed with defaults, frozen. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import { deepFreeze } from "../outputs/rows.ts";

const MAX_INPUT = 1024 * 1024;
const MAX_DEPTH = 32;

export function parseInput(schema: z.ZodType | null, input: unknown): unknown {
  if (typeof input !== "object" || input === null || Array.isArray(input)) throw invalid("must be an object");
  if (depthOver(input, MAX_DEPTH)) throw invalid(`is nested deeper than ${MAX_DEPTH}`);
  const text = JSON.stringify(input);
  if (text.length > MAX_INPUT) throw invalid(`is ${text.length} characters of JSON; the limit is ${MAX_INPUT}`);
  const parsed = (schema ?? z.unknown()).safeParse(input);
  if (!parsed.success) throw invalid(`does not fit: ${z.prettifyError(parsed.error)}`);
  return deepFreeze(structuredClone(parsed.data));
}

const invalid = (problem: string): SmoothError => new SmoothError("INVALID_INPUT", `the workflow's input ${problem}`);

function depthOver(value: unknown, left: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value).some((inner) => depthOver(inner, left - 1));
}
