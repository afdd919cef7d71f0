/** Numbers that a caller of a function chooses: refused at the door with their name, their value and what is allowed, for inside they
 *  would hang a loop, forget everything or be silently taken for something else. */
import { SmoothError } from "./errors.ts";

export interface Allowed {
  readonly least: number;
  /** Fractions are refused. */
  readonly whole?: boolean;
  /** Infinity says: no limit. */
  readonly orInfinity?: boolean;
}

/** Undefined stands for the default. Throws INVALID_INPUT. */
export function checkNumber(name: string, value: number | undefined, allowed: Allowed): void {
  if (value === undefined || isAllowed(value, allowed)) return;
  const { least, whole = false, orInfinity = false } = allowed;
  const wanted = `a ${whole ? "whole " : ""}number ≥ ${least}${orInfinity ? ", or Infinity" : ""}`;
  throw new SmoothError("INVALID_INPUT", `${name} must be ${wanted}, not ${String(value)}`, { details: { name } });
}

function isAllowed(value: unknown, { least, whole = false, orInfinity = false }: Allowed): boolean {
  if (value === Infinity) return orInfinity;
  return (whole ? Number.isInteger(value) : Number.isFinite(value)) && Number(value) >= least;
}

const COUNT: Allowed = { least: 1, whole: true };

/** How many: one or more. */
export const checkCount = (name: string, value: number | undefined): void => checkNumber(name, value, COUNT);
