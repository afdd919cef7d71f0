/** A task's agent session in a person's hands.
 *  J1. It is handed over before the first attempt (`hijack`), or out of an attempt on request: that attempt ends between tool calls,
 *      and costs no retry.
 *  J2. While a person holds it the run is a row; the session that was last reported goes with it, and comes back with its end.
 *  J3. `complete`: what the person gives is the task's row. `reopen`: the task goes on, in the session as it came back. */
import { stateKey } from "../../graph/identity.ts";
import type { TaskLeaf } from "../../graph/plan.ts";
import { fit, schemaOf } from "../../outputs/fit.ts";
import type { JsonValue } from "../../outputs/json.ts";
import { peekText } from "../../task/peek.ts";
import type { RunEventBody, WaitOn } from "../events.ts";
import type { Keyed } from "../late-map.ts";
import type { Opened, Settled } from "./outcome.ts";

export interface Hijack {
  /** Somebody asks for a task that is at work. */
  readonly requestedBy: string | null;
  readonly session: JsonValue;
  readonly ended: { readonly by: string; readonly output: JsonValue } | null;
}
export type Hijacks = Keyed<Hijack>;

type HijackEvent = Extract<
  RunEventBody,
  { type: "agent.session" | "hijack.requested" | "hijack.refused" | "hijack.ended" }
>;
type HijackWait = Extract<WaitOn, { kind: "hijack" }>;

/** In somebody's hands now. */
export function takeHijack(hijacks: Hijacks, key: string): void {
  hijacks.set(key, { ...(hijacks.get(key) ?? NONE), requestedBy: null, ended: null });
}

const NONE: Hijack = { requestedBy: null, session: null, ended: null };

export function applyHijack(hijacks: Hijacks, event: HijackEvent): void {
  const key = stateKey(event);
  const before = hijacks.get(key) ?? NONE;
  switch (event.type) {
    case "agent.session":
      return void hijacks.set(key, { ...before, session: event.session });
    case "hijack.requested":
      return void hijacks.set(key, { ...before, requestedBy: event.by });
    case "hijack.refused":
      return void hijacks.set(key, { ...before, requestedBy: null });
    case "hijack.ended": {
      const { by, output, session } = event;
      return void hijacks.set(key, { ...before, session: session ?? before.session, ended: { by, output } });
    }
  }
}

/** Which program or protocol a person opens the session with; null: the task's agent cannot be handed over. */
export function engineOf({ body }: Pick<TaskLeaf, "body">): string | null {
  if (body.mode !== "agent") return null;
  const engines = body.agents.map((agent) => peekText(agent, "hijackEngine") ?? peekText(agent, "cliEngine"));
  return engines.find((engine) => engine !== null) ?? null;
}

export function openHijack(leaf: TaskLeaf, hijack: Hijack = NONE): Opened {
  const { nodeId, iteration, output, onHijackExit: onExit } = leaf;
  const engine = engineOf(leaf);
  if (engine === null) return { events: [refused(leaf)] };
  const on: HijackWait = {
    kind: "hijack",
    dueMs: null,
    engine,
    onExit,
    session: hijack.session,
    schema: schemaOf(output.schema),
  };
  return { events: [{ type: "wait.opened", nodeId, iteration, on }] };
}

export function refused({ nodeId, iteration, id }: TaskLeaf): RunEventBody {
  const message = `the agents of task ${id} name no hijackEngine or cliEngine, so nobody can take its session over`;
  return { type: "hijack.refused", nodeId, iteration, error: { code: "TASK_HIJACK_UNSUPPORTED", message, nodeId } };
}

export function settleHijack(leaf: TaskLeaf, { onExit }: HijackWait, hijack: Hijack | undefined): Settled {
  const ended = hijack?.ended;
  if (!ended) return { kind: "waiting" };
  if (onExit === "reopen") return { kind: "go" }; // J3
  const fitted = fit(leaf.output, ended.output);
  if (fitted.kind === "row") return fitted;
  const message = `what ${ended.by} gave for task ${leaf.id} does not fit its output: ${fitted.problem}`;
  return { kind: "fail", error: { code: "INVALID_OUTPUT", message, nodeId: leaf.nodeId } };
}
