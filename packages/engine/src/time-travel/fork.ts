/** A new run from a frame of another one: what was recorded up to there, minus what is named, perhaps with another input.
 *  K1. The source is only read.
 *  K2. Waits that were open at the frame are asked anew: a fork shares no approval, signal or timer with its source. Dead ends
 *      (reset.ts Z7) begin anew as well: a fork of a failed run tries again what failed it.
 *  K3. The fork belongs to the workflow it is made with: its own hash is recorded, so a changed file is no mismatch.
 *  K4. A result that is kept is scored and remembered, also when the frame ends right after it and before what is due of it. */
import { SmoothError } from "@smooth/protocol/errors";
import { localId, parseStateKey, stateKey } from "../graph/identity.ts";
import type { JsonValue } from "../outputs/json.ts";
import { parseInput } from "../run/input.ts";
import type { RunEventBody, StoredEvent } from "../run/events.ts";
import { foldEvents } from "../run/state.ts";
import type { RunRow } from "../store/port.ts";
import { filesAtSeq, noFiles, withFiles } from "./files.ts";
import { planOf, recordedAt, runOf, type Recorded } from "./history.ts";
import { pastOf } from "./past.ts";
import { deadEnds, resetEvent, resetOfNode, type Reset } from "./reset.ts";
import type { TravelDeps } from "./send-back.ts";
import { refuseSideEffects, sideEffectsOf } from "./side-effects.ts";

export interface Fork {
  readonly runId: string;
  readonly by: string;
  /** The frame; default: the newest. */
  readonly atSeq?: number | undefined;
  /** Ids of nodes to do again, with everything that comes after them. */
  readonly resetNodes?: readonly string[] | undefined;
  readonly input?: JsonValue | undefined;
  readonly label?: string | undefined;
  /** Calls that cannot be undone will be made again. */
  readonly force?: boolean | undefined;
  readonly forkId?: string | undefined;
}

export interface Forked {
  readonly runId: string;
  readonly reset: readonly Reset[];
}

/** The fork is paused; `resumeRun` starts it. Throws RUN_NOT_FOUND, SNAPSHOT_NOT_FOUND, NODE_NOT_FOUND, INVALID_INPUT, CONFLICT. */
export async function forkRun(deps: TravelDeps, request: Fork): Promise<Forked> {
  const { store, clock, workflow, ids } = deps;
  const { runId, by, atSeq: asked, resetNodes = [], input, label = null, force = false } = request;
  const origin = await runOf(store, runId);
  const atSeq = asked ?? origin.lastSeq;
  const recorded = await recordedAt(deps, origin, atSeq);
  const run = { ...origin, input: input ?? origin.input };
  parseInput(workflow.inputSchema, run.input);
  const named = namedResets(deps, { run, recorded, resetNodes });
  const resets = [...named, ...openWaits(recorded.events), ...(named.length > 0 ? [] : deadOnes(deps, run, recorded))];
  const gone = new Set(resets.flatMap(({ nodes }) => nodes.map(stateKey)));
  const outputs = recorded.cells.filter((output) => !gone.has(stateKey(output)));
  const kept = new Set(outputs.map(stateKey));
  const past = await store.events(runId, 0);
  refuseSideEffects(againIn(past, kept), force);
  const forkId = request.forkId ?? ids.next("run");
  const created = await store.fork({
    runId: forkId,
    workflow: origin.workflow,
    input: run.input,
    auth: origin.auth,
    metadata: { source: workflow.source ?? null, vcsRoot: origin.metadata.vcsRoot }, // K3
    from: { runId, atSeq, label },
    atMs: clock.now(),
    copied: recorded.events,
    events: [
      { type: "run.forked", from: runId, atSeq, label, by },
      ...resets.map((reset): RunEventBody => resetEvent(reset, { verb: "fork", by })),
      ...dueOfLast(past, atSeq, kept),
    ],
    outputs,
    frames: await store.frames(runId, atSeq),
  });
  if (created === "exists")
    throw new SmoothError("CONFLICT", `run ${forkId} exists already`, { details: { runId: forkId } });
  return { runId: forkId, reset: resets };
}

/** Fork, and the files as they were at the frame when asked; `start` takes the fork up. */
export async function replayRun<T>(
  deps: TravelDeps,
  { restoreVcs = false, ...request }: Fork & { readonly restoreVcs?: boolean | undefined },
  start: (forkId: string) => Promise<T>,
): Promise<T> {
  const source = await runOf(deps.store, request.runId);
  const atSeq = request.atSeq ?? source.lastSeq;
  const events = restoreVcs ? await deps.store.events(source.runId, 0) : [];
  if (restoreVcs && !events.some(({ type }) => type === "vcs.pointer"))
    throw noFiles(`frame ${atSeq} of ${source.runId}`); // Asked for, and not to be had.
  const files = filesAtSeq(events, atSeq);
  const go = async (): Promise<T> => start((await forkRun(deps, request)).runId);
  if (files.length === 0) return go();
  if (!deps.vcs) throw new SmoothError("VCS_FAILED", "no version control is at hand to restore the files with");
  return withFiles({ vcs: deps.vcs, runId: source.runId, to: files }, go);
}

interface Named {
  readonly run: RunRow;
  readonly recorded: Recorded;
  readonly resetNodes: readonly string[];
}

/** One after the other: what an earlier name took along is not looked for again. */
function namedResets({ workflow }: TravelDeps, { run, recorded, resetNodes }: Named): readonly Reset[] {
  if (resetNodes.length === 0) return [];
  const plan = planOf(workflow, run, recorded);
  const resets: Reset[] = [];
  let events = recorded.events;
  for (const name of resetNodes) {
    const first = (log: readonly StoredEvent[]) =>
      [...pastOf(log).values()].find(({ nodeId }) => nodeId === name || localId(nodeId) === name);
    if (!first(recorded.events))
      throw new SmoothError("NODE_NOT_FOUND", `the run had done nothing at ${name} by then`, {
        details: { nodeId: name },
      });
    const target = first(events);
    if (!target) continue;
    const reset = resetOfNode({ events, plan }, { target, deps: true });
    resets.push(reset);
    const body = resetEvent(reset, { verb: "fork", by: "" });
    events = [...events, { ...body, runId: run.runId, seq: events.length + 1, atMs: 0 }];
  }
  return resets;
}

/** K2 */
function openWaits(events: readonly StoredEvent[]): readonly Reset[] {
  const waiting = [...foldEvents(events).nodes].flatMap(([key, node]) =>
    node.kind === "waiting" ? [parseStateKey(key)] : [],
  );
  return waiting.length === 0
    ? []
    : [{ nodes: waiting.map((node) => ({ ...node, attempt: 0 })), loops: [], scopes: [] }];
}

/** K2. Those that are named take them along (reset.ts Z7). */
function deadOnes({ workflow }: TravelDeps, run: RunRow, recorded: Recorded): readonly Reset[] {
  const { events } = recorded;
  if (!events.some(isBadEnd)) return [];
  const none: Reset = { nodes: [], loops: [], scopes: [] };
  const nodes = deadEnds({ events, plan: planOf(workflow, run, recorded) }, none);
  return nodes.length === 0 ? [] : [{ ...none, nodes }];
}

/** Only then is there anything to look for. */
const isBadEnd = (event: StoredEvent): boolean =>
  event.type === "node.cancelled" || (event.type === "node.failed" && event.retryAtMs === null);

/** K4. It stands right behind its result. */
function dueOfLast(events: readonly StoredEvent[], atSeq: number, kept: ReadonlySet<string>): readonly RunEventBody[] {
  const next = events[atSeq];
  if (next?.type !== "aftermath.due" || !kept.has(stateKey(next))) return [];
  const { runId: _source, seq: _seq, atMs: _atMs, ...due } = next;
  return [due];
}

/** What the fork will do again although the source has done it. */
function againIn(events: readonly StoredEvent[], kept: ReadonlySet<string>) {
  return sideEffectsOf(
    events,
    [...pastOf(events).values()].filter((node) => !kept.has(stateKey(node))),
  );
}
