/** What a person's terminal does to take a task's session over and to give it back. Works on rows alone. */
import { SmoothError } from "@smooth/protocol/errors";
import { stateKey, type NodeRef } from "../graph/identity.ts";
import { misfit } from "../outputs/fit.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { RunStore } from "../store/port.ts";
import { foldEvents } from "./state.ts";

interface Person extends NodeRef {
  readonly runId: string;
  readonly by: string;
  readonly atMs: number;
}

export type Handover =
  /** The session is free to be opened: with this engine, from what the agent last reported of it. */
  | { readonly kind: "ready"; readonly engine: string; readonly session: JsonValue }
  /** The task is at work; ask again once it has come to a safe point. */
  | { readonly kind: "requested" };

/** Throws RUN_NOT_FOUND, CONFLICT (the task neither works nor waits to be taken over), TASK_HIJACK_UNSUPPORTED. */
export async function hijackTask(store: RunStore, { runId, atMs, by, nodeId, iteration }: Person): Promise<Handover> {
  const events = await store.events(runId, 0);
  const { nodes } = foldEvents(events);
  const details = { runId, nodeId, iteration };
  const node = nodes.get(stateKey({ nodeId, iteration }));
  if (node?.kind === "waiting" && node.on.kind === "hijack")
    return { kind: "ready", engine: node.on.engine, session: node.on.session };
  const refusal = events.findLast((event) => event.type === "hijack.refused" && event.nodeId === nodeId);
  if (refusal?.type === "hijack.refused")
    throw new SmoothError("TASK_HIJACK_UNSUPPORTED", refusal.error.message, { details });
  if (events.length > 0 && node?.kind !== "running")
    throw new SmoothError("CONFLICT", `task ${nodeId} is not at work: it is ${node?.kind ?? "not begun"}`, { details });
  await posted(store, { runId, atMs, event: { type: "hijack.requested", nodeId, iteration, by } });
  return { kind: "requested" };
}

export interface EndHijack extends Person {
  /** As it is now; null: as it was. */
  readonly session: JsonValue;
  /** The task's row, where its end completes it. */
  readonly output?: JsonValue | undefined;
}

/** Throws RUN_NOT_FOUND, ASK_VOID (nobody holds it), INVALID_INPUT (the output does not fit). */
export async function endHijack(store: RunStore, { runId, atMs, output = {}, ...end }: EndHijack): Promise<void> {
  const { nodes } = foldEvents(await store.events(runId, 0));
  const details = { runId, nodeId: end.nodeId, iteration: end.iteration };
  const node = nodes.get(stateKey(end));
  if (node?.kind !== "waiting" || node.on.kind !== "hijack")
    throw new SmoothError("ASK_VOID", `the session of task ${end.nodeId} is not in anybody's hands`, { details });
  const problem = node.on.onExit === "complete" ? misfit(node.on.schema, output) : undefined;
  if (problem !== undefined)
    throw new SmoothError("INVALID_INPUT", `the output does not fit task ${end.nodeId}: ${problem}`, { details });
  await posted(store, { runId, atMs, event: { type: "hijack.ended", ...end, output } });
}

async function posted(store: RunStore, post: Parameters<RunStore["post"]>[0]): Promise<void> {
  const { runId } = post;
  const result = await store.post(post);
  if (result === "not-found") throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
  if (result === "over") throw new SmoothError("RUN_NOT_RESUMABLE", `run ${runId} is over`, { details: { runId } });
}
