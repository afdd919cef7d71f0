import { resolve } from "node:path";
import type { GatewayClient } from "@smooth/gateway/client";
import { SmoothError } from "@smooth/protocol/errors";
import { RunId } from "@smooth/protocol/ids";
import { z } from "zod";
import { connect } from "../../connect.ts";
import { parseArgument } from "../../program.ts";

/** What verbs read from the command line; every message names the value. */

export function runId(text: string): RunId {
  const { data } = RunId.safeParse(text);
  if (data !== undefined) return data;
  const near = RunId.safeParse(`run-${text.toLowerCase().replaceAll(/^run-|[^0-9a-z]/g, "")}`).data;
  const instead = near === undefined ? "" : `; \`${near}\` would do`;
  throw new SmoothError("INVALID_INPUT", `run "${text}": an id is run- and 6 to 40 of a–z and 0–9${instead}`);
}

export function parseJson(text: string, flag: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SmoothError("INVALID_INPUT", `${flag} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

type JsonObject = Record<string, z.infer<ReturnType<typeof z.json>>>;
export const parseObject = (text: string, flag: string): JsonObject =>
  parseArgument(z.record(z.string(), z.json()), parseJson(text, flag), flag);

export function whole(text: string, flag: string, least = 0): number {
  const { data } = z.coerce
    .number()
    .int()
    .min(least)
    .safeParse(text.trim() === "" ? NaN : text);
  if (data !== undefined) return data;
  throw new SmoothError("INVALID_INPUT", `${flag} ${JSON.stringify(text)}: a whole number, ${least} or more`);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function duration(text: string, flag: string): number {
  const [, count, unit = ""] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  if (count !== undefined) return Number(count) * (UNITS[unit] ?? 1);
  throw new SmoothError("INVALID_INPUT", `${flag} ${JSON.stringify(text)}: a number with ms, s, m, h or d`);
}

export function required(value: string | undefined, flag: string): string {
  if (value !== undefined) return value;
  throw new SmoothError("INVALID_INPUT", `${flag} is missing`);
}

/** The run itself, or its workflow file with the run named by a flag: then they must belong together. */
export async function theRun(
  first: string,
  named: string | undefined,
): Promise<{ readonly client: GatewayClient; readonly runId: RunId }> {
  const client = connect();
  if (first.startsWith("run-") && named === undefined) return { client, runId: runId(first) };
  const id = runId(required(named, "--run-id"));
  const { workflow } = await client.call("getRun", { runId: id });
  if (resolve(first) === resolve(workflow)) return { client, runId: id };
  throw new SmoothError("INVALID_INPUT", `run ${id} is of ${workflow}, not of ${resolve(first)}`);
}
