/** What a sandbox is told, and how it says what happens in it. Both sides are ours; the line between them is not, so both are parsed. */
import { z } from "zod";
import type { JsonValue } from "@smooth/engine/json";

/** Our files in the workspace of a sandbox: in a folder that is neither copied in nor taken out. */
export const placesIn = (workspace: string) => ({
  program: `${workspace}/.smithers/run.mjs`,
  request: `${workspace}/.smithers/request.json`,
  manifest: `${workspace}/.smithers/manifest.json`,
});

export const SandboxRequest = z.object({
  runId: z.string(),
  /** Whose row is the answer. */
  output: z.string(),
  input: z.custom<JsonValue>(),
  /** Timers are sat out for so long. */
  wallMs: z.number(),
  /** Of children that stand in the workflow itself: the id of their sandbox, and what is recorded around them. */
  within: z
    .object({
      id: z.string(),
      rows: z.array(z.object({ table: z.string(), nodeId: z.string(), iteration: z.int(), row: z.string() })),
      loops: z.array(z.tuple([z.string(), z.int()])),
    })
    .nullable(),
});
export type SandboxRequest = z.infer<typeof SandboxRequest>;

/** Before each line of ours on stdout (RFC 7464); what has none is what the program prints. */
export const MARK = "\u001E";

export const Said = z.discriminatedUnion("kind", [
  /** The process turns; sent every `PING_MS`. */
  z.object({ kind: z.literal("alive") }),
  z.object({ kind: z.literal("event"), type: z.string().max(100), nodeId: z.string().max(500).optional() }),
]);
export type Said = z.infer<typeof Said>;

export const PING_MS = 15_000;
