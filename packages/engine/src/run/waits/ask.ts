/** A body asks a person and blocks until they answer.
 *  K1. The same question of the same node and iteration is asked once: after a crash or in a retry its row is found again, answered or
 *      not. Asked twice in one attempt, it is two questions. */
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import type { NodeRef } from "../../graph/identity.ts";
import { schemaOf } from "../../outputs/fit.ts";
import type { ApprovalRow, NewApproval, RunStore } from "../../store/port.ts";
import type { Question } from "../../task/body.ts";
import { derivedRunId } from "../derived-id.ts";
import type { RunEventBody } from "../events.ts";
import { BY_TIMEOUT } from "./approval.ts";

export interface AskPorts {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly runId: string;
  /** Into the next transaction. */
  readonly note: (event: AskedEvent) => void;
}

type AskedEvent = Extract<RunEventBody, { type: "human.asked" }>;

const LOOK_MS = 1_000;

/** For one attempt. Rejects with HUMAN_TASK_CANCELLED, TIMED_OUT, or why the body was aborted. */
export function askFrom(ports: AskPorts, { nodeId, iteration }: NodeRef) {
  let times: Map<string, number> | undefined; // most bodies ask nobody
  return async function ask(question: Question<z.ZodType>, signal: AbortSignal): Promise<unknown> {
    const { prompt, choices, schema = choices ? z.enum(choices as [string, ...string[]]) : z.string() } = question;
    times ??= new Map();
    const nth = times.get(prompt) ?? 0;
    times.set(prompt, nth + 1);
    const id = `${nodeId}@@ask=${derivedRunId(prompt, String(nth)).slice(4, 15)}`; // K1
    const asked = { type: "human.asked", nodeId, iteration, ask: id, prompt, schema: schemaOf(schema) } as const;
    const row = await answered(ports, { asked, timeoutMs: question.timeoutMs ?? null, signal });
    const { decision, by } = row.decided;
    if (decision.verdict !== "answer") throw refusal(nodeId, by);
    const parsed = schema.safeParse(decision.value);
    return parsed.success ? parsed.data : await ask(question, signal);
  };
}

/** What `human.asked` puts before a person. */
export const askedRow = ({ nodeId, iteration, ask, prompt, schema }: AskedEvent): NewApproval => ({
  nodeId: ask,
  iteration,
  mode: "answer",
  request: { title: nodeId, summary: prompt, answer: { nodeId, schema } },
  workflow: "", // never counted as a past decision
  decided: null,
});

type Answered = ApprovalRow & { readonly decided: NonNullable<ApprovalRow["decided"]> };
const isAnswered = (row: ApprovalRow): row is Answered => row.decided !== null;

interface Asking {
  readonly asked: AskedEvent;
  readonly timeoutMs: number | null;
  readonly signal: AbortSignal;
}

async function answered(
  { store, clock, runId, note }: AskPorts,
  { asked, timeoutMs, signal }: Asking,
): Promise<Answered> {
  const { ask: nodeId, iteration } = asked;
  const find = async (): Promise<ApprovalRow | undefined> =>
    (await store.approvals({ runId, ref: { nodeId, iteration } })).at(0);
  let row = await find();
  if (!row) note(asked);
  const dueMs = timeoutMs === null ? Infinity : (row?.openedAtMs ?? clock.now()) + timeoutMs;
  while (!row || !isAnswered(row)) {
    if (row && clock.now() >= dueMs)
      await store.decide({
        runId,
        nodeId,
        iteration,
        decision: { verdict: "deny" },
        by: BY_TIMEOUT,
        atMs: clock.now(),
      });
    else await news(store, runId, { clock, signal, atMostMs: Math.max(1, Math.min(LOOK_MS, dueMs - clock.now())) });
    row = await find();
  }
  return row;
}

interface Patience {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly atMostMs: number;
}

/** Until somebody changed the run, or some time has passed. */
async function news(store: RunStore, runId: string, { clock, signal, atMostMs }: Patience): Promise<void> {
  const changed = new AbortController();
  const unwatch = store.watch(runId, () => changed.abort());
  await clock.sleep(atMostMs, AbortSignal.any([signal, changed.signal])).catch(() => undefined);
  unwatch();
  signal.throwIfAborted();
}

function refusal(nodeId: string, by: string): SmoothError {
  if (by === BY_TIMEOUT) return new SmoothError("TIMED_OUT", `nobody answered the question of ${nodeId} in time`);
  return new SmoothError("HUMAN_TASK_CANCELLED", `${by} cancelled the question of ${nodeId}`);
}
