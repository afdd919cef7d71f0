import { z } from "zod";
import { AskId, AtMs, PearlId, RunId } from "./ids.ts";

/** One queue for everything that waits for a human (promise P7).
 *  A1. An ask is bound to `actionHash`: when the action changes the ask is void.
 *  A2. It is decided once; a second decision is ALREADY_DECIDED and learns who was first.
 *  A3. Expiry is "no answer", never "denied". */

/** What there is to choose from: one option, or an order of all. */
export const AskChoice = z.object({
  mode: z.enum(["select", "rank"]),
  options: z.array(z.object({ key: z.string(), label: z.string(), summary: z.string().optional() })).min(1),
});
export type AskChoice = z.infer<typeof AskChoice>;

/** What exactly will happen on approval. */
export const AskSubject = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("network"),
    host: z.string(),
    port: z.int(),
    method: z.string(),
    path: z.string().optional(),
  }),
  z.object({ kind: z.literal("tool"), tool: z.string(), args: z.string().max(20_000) }),
  /** Apply the run's diff to the repository. */
  z.object({
    kind: z.literal("merge"),
    repo: z.string(),
    branch: z.string(),
    files: z.int(),
    additions: z.int(),
    deletions: z.int(),
  }),
  /** A workflow's Approval node, or the files of its Sandbox. */
  z.object({
    kind: z.literal("approval"),
    nodeId: z.string(),
    iteration: z.int(),
    title: z.string(),
    summary: z.string().optional(),
    choice: AskChoice.optional(),
    /** What its author says beside it, as JSON. */
    details: z.string().optional(),
    /** The changes that a yes writes to the folder, unified. */
    patch: z.string().optional(),
  }),
]);
export type AskSubject = z.infer<typeof AskSubject>;

/** How far an approval reaches. `rule` persists to the project's allow file, with a TTL. */
export const GrantScope = z.enum(["once", "run", "rule"]);
export type GrantScope = z.infer<typeof GrantScope>;

export const AskDecision = z.discriminatedUnion("verdict", [
  z.strictObject({
    verdict: z.literal("approve"),
    grant: GrantScope.default("once"),
    /** Of an approval that offers options: the key of the chosen one, or all keys, the best first. */
    selected: z.string().max(500).optional(),
    ranked: z.array(z.string().max(500)).max(1_000).optional(),
    note: z.string().max(2_000).optional(),
  }),
  z.strictObject({ verdict: z.literal("deny"), note: z.string().max(2_000).optional() }),
]);
export type AskDecision = z.infer<typeof AskDecision>;

const base = {
  id: AskId,
  /** Rises when the ask changes; a decision names the version it saw. */
  version: z.int().positive(),
  runId: RunId,
  pearlId: PearlId.nullable(),
  subject: AskSubject,
  /** One sentence a person can decide on. */
  question: z.string(),
  /** Why Wonk asks: the rule, and what the operator was doing. */
  reason: z.string(),
  risk: z.enum(["low", "medium", "high"]),
  /** SHA-256, hex, of the exact action. */
  actionHash: z.string(),
  openedAtMs: AtMs,
  expiresAtMs: AtMs.nullable(),
};

export const Ask = z.discriminatedUnion("status", [
  z.object({ ...base, status: z.literal("pending") }),
  z.object({ ...base, status: z.literal("decided"), decision: AskDecision, decidedBy: z.string(), decidedAtMs: AtMs }),
  z.object({ ...base, status: z.literal("expired"), expiredAtMs: AtMs }),
  z.object({ ...base, status: z.literal("void"), voidReason: z.string(), voidAtMs: AtMs }),
]);
export type Ask = z.infer<typeof Ask>;
export type PendingAsk = Extract<Ask, { status: "pending" }>;
