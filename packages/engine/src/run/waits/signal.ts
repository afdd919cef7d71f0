/** A signal waits for its waiter, or the waiter for it: whichever comes first is kept.
 *  G1. Each signal is used once per waiter (the id an author wrote, over all its iterations), in the order of arrival.
 *  G2. Name and correlation must be equal; a signal without correlation is only for waiters without one.
 *  G3. A payload that does not fit is put aside with its error, and the waiter goes on waiting.
 *  G4. A loop that continues as new brings along what nobody has used, and what one of its own waiters still may. */
import { localId } from "../../graph/identity.ts";
import type { SignalLeaf } from "../../graph/plan.ts";
import type { JsonValue } from "../../outputs/json.ts";
import type { RunEventBody, WaitOn } from "../events.ts";
import { fit } from "../../outputs/fit.ts";
import { timedOut, type Opened, type Settled } from "./outcome.ts";

export interface Signal {
  readonly name: string;
  readonly correlationId: string | null;
  readonly payload: JsonValue;
  readonly by: string;
}

/** The signals of a run in the order they came, and who has used which. */
export interface Signals {
  readonly received: Signal[];
  /** `<waiter> <number of the signal>` */
  readonly used: Set<string>;
}

export type Address = Pick<Signal, "name" | "correlationId">;
type SignalEvent = Extract<RunEventBody, { type: "signal.received" | "signal.used" | "signal.rejected" }>;
type SignalWait = Extract<WaitOn, { kind: "signal" }>;

export function applySignal({ received, used }: Signals, event: SignalEvent): void {
  if (event.type === "signal.received") received.push(event);
  else used.add(use(event.nodeId, event.signal));
}

export function openSignal(
  { nodeId, iteration, event, correlationId, timeoutMs, schema }: SignalLeaf,
  nowMs: number,
): Opened {
  const dueMs = timeoutMs === null ? null : nowMs + timeoutMs;
  const on: SignalWait = { kind: "signal", name: event, correlationId, dueMs, schema };
  return { events: [{ type: "wait.opened", nodeId, iteration, on }] };
}

export function settleSignal(
  leaf: SignalLeaf,
  on: SignalWait,
  { signals, nowMs }: { readonly signals: Signals; readonly nowMs: number },
): Settled {
  const { nodeId, iteration } = leaf;
  const also: RunEventBody[] = [];
  for (const [signal, { payload, ...sent }] of signals.received.entries()) {
    if (!answers(sent, on) || signals.used.has(use(nodeId, signal))) continue;
    const fitted = fit(leaf.output, payload);
    if (fitted.kind === "row")
      return { ...fitted, also: [...also, { type: "signal.used", nodeId, iteration, signal }] };
    const message = `signal ${on.name} for ${nodeId}: ${fitted.problem}`;
    also.push({
      type: "signal.rejected",
      nodeId,
      iteration,
      signal,
      error: { code: "INVALID_INPUT", message, nodeId },
    }); // G3
  }
  if (on.dueMs === null || on.dueMs > nowMs) return { kind: "waiting", also };
  return { ...timedOut(leaf, `no signal ${on.name} came in time`), also };
}

/** G2 */
const answers = (sent: Address, on: Pick<SignalWait, "name" | "correlationId">): boolean =>
  sent.name === on.name && sent.correlationId === on.correlationId;

/** Nodes that wait for this signal now, with the JSON Schema of its payload. */
export const waitersOf = (
  waiting: ReadonlyMap<string, WaitOn>,
  sent: Address,
): readonly { readonly key: string; readonly schema: JsonValue }[] =>
  [...waiting].flatMap(([key, on]) => (on.kind === "signal" && answers(sent, on) ? [{ key, schema: on.schema }] : []));

/** Each once, in the order in which they began to be waited for. */
export function addressesIn(waiting: ReadonlyMap<string, WaitOn>): readonly Address[] {
  const all = [...waiting.values()].flatMap((on) =>
    on.kind === "signal" ? [{ name: on.name, correlationId: on.correlationId }] : [],
  );
  return all.filter((one, at) => all.findIndex((other) => answers(one, other)) === at);
}

/** G1 */
const use = (nodeId: string, signal: number): string => `${localId(nodeId)} ${signal}`;

/** G4. As the first events of another run; who has used one has used it there too. */
export function signalsLeft(
  { received, used }: Signals,
  waiters: readonly Pick<SignalLeaf, "nodeId" | "iteration" | "event" | "correlationId">[],
): readonly SignalEvent[] {
  const usedByAny = new Set([...used].map((one) => Number(one.slice(one.lastIndexOf(" ") + 1))));
  const left: SignalEvent[] = [];
  let nth = 0;
  for (const [signal, { name, correlationId, payload, by }] of received.entries()) {
    const own = waiters.filter((on) =>
      answers({ name, correlationId }, { name: on.event, correlationId: on.correlationId }),
    );
    const users = own.filter(({ nodeId }) => used.has(use(nodeId, signal)));
    if (usedByAny.has(signal) && users.length === own.length) continue;
    left.push({ type: "signal.received", name, correlationId, payload, by });
    for (const { nodeId, iteration } of users) left.push({ type: "signal.used", nodeId, iteration, signal: nth });
    nth += 1;
  }
  return left;
}
