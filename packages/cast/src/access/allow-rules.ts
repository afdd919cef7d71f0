import { AccessRequest } from "@smooth/protocol/policy";
import { SmoothError } from "@smooth/protocol/errors";
import { parse, stringify } from "smol-toml";
import { z } from "zod";
import type { Grant } from "../wonk/decide.ts";

/** `<repo>/.smooth/wonk-allow.toml`: what a person allowed for the project.
 *  L1. No rule lives for ever: one that ends later than MAX_TTL_MS from now does not count.
 *  L2. A file that is not whole gives no rules and is never overwritten. */

/** Owned by whoever knows the repository; `write` replaces the file atomically. */
export interface AllowFile {
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
}

export const MAX_TTL_MS = 90 * 24 * 3_600_000;

const Rule = z.strictObject({
  id: z.string(),
  by: z.string(),
  until_ms: z.int().nonnegative(),
  request: AccessRequest,
});
const AllowRules = z.strictObject({ allow: z.array(Rule).max(10_000).default([]) });
export type AllowRule = z.infer<typeof Rule>;

/** L1, L2 */
export async function liveRules(file: AllowFile, nowMs: number): Promise<Grant[]> {
  const rules = readRules(await file.read());
  return (rules ?? []).filter((rule) => isLive(rule, nowMs)).map(({ id, request }) => ({ id, request }));
}

export async function addRule(file: AllowFile, rule: AllowRule, nowMs: number): Promise<void> {
  const rules = readRules(await file.read());
  if (rules === null) throw new SmoothError("CONFIG_INVALID", "wonk-allow.toml is not whole; repair or delete it");
  const kept = rules.filter((other) => isLive(other, nowMs) && other.id !== rule.id);
  await file.write(
    `# Written by Smooth when a person approves something for this project. Delete a block to take it back.\n${stringify({ allow: [...kept, rule] })}`,
  );
}

function isLive({ until_ms }: AllowRule, nowMs: number): boolean {
  return until_ms > nowMs && until_ms <= nowMs + MAX_TTL_MS;
}

function readRules(text: string | null): AllowRule[] | null {
  if (text === null) return [];
  try {
    return AllowRules.parse(parse(text)).allow;
  } catch {
    return null;
  }
}
