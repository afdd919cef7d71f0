import { z } from "zod";

/** What the host and the guest agent say to each other as JSON on the agent port.
 *  G1. Guest → host is parsed here, strictly and with sizes; host → guest is trusted by the guest, so it carries no schema there. */

const CHANNEL_VERSION = 1;

export const Hello = z.object({
  version: z.literal(CHANNEL_VERSION),
  node: z.string().max(40),
  uptimeMs: z.number().nonnegative(),
});
export type Hello = z.infer<typeof Hello>;

/** Host → guest: the first payload of a stream says what it is for. */
export type AgentRequest =
  | {
      readonly op: "exec";
      readonly argv: readonly string[];
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
    }
  | { readonly op: "read"; readonly path: string; readonly maxBytes: number }
  | { readonly op: "write"; readonly path: string; readonly mode: number }
  | { readonly op: "stats" }
  /** Close every relay connection and free what can be freed: a snapshot comes next. */
  | { readonly op: "settle" }
  | {
      readonly op: "wake";
      readonly entropyHex: string;
      readonly wallMs: number;
      readonly hostname: string;
      readonly machineId: string;
    }
  | { readonly op: "power-off" };

/** Host → guest on an exec stream. */
export type ExecControl = { readonly signal: string };

const Failed = z.object({ kind: z.literal("failed"), code: z.string().max(40), message: z.string().max(500) });

export const ExecResult = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("exited"), code: z.int().min(0).max(255) }),
  z.object({ kind: z.literal("signaled"), signal: z.string().max(20) }),
  Failed,
]);

export const DoneResult = z.discriminatedUnion("kind", [z.object({ kind: z.literal("done") }), Failed]);

export const StatsResult = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("stats"),
    uptimeMs: z.number().nonnegative(),
    memTotalBytes: z.number().nonnegative(),
    memAvailableBytes: z.number().nonnegative(),
    load1: z.number().nonnegative(),
    processes: z.number().nonnegative(),
  }),
  Failed,
]);

export type AgentResult = z.input<typeof ExecResult> | z.input<typeof DoneResult> | z.input<typeof StatsResult>;

/** Never throws: a guest's bytes are either the expected value or null. */
export function parseGuest<T>(schema: z.ZodType<T>, payload: Buffer): T | null {
  try {
    const parsed = schema.safeParse(JSON.parse(payload.toString("utf8")));
    return parsed.success ? parsed.data : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
