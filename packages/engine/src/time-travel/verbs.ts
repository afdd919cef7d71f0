/** Going back within a run: to do a task again, to a point of one of its attempts, or only its files. */
import { SmoothError } from "@smooth/protocol/errors";
import { stateKey, type NodeRef } from "../graph/identity.ts";
import type { StoredEvent } from "../run/events.ts";
import type { FilesAt } from "../store/travel-port.ts";
import { filesAround, filesAtSeq, noFiles, withFiles } from "./files.ts";
import { runOf } from "./history.ts";
import { resetOfNode, resetToFrame } from "./reset.ts";
import { sendBack, type SentBack, type TravelDeps, type TravelRequest } from "./send-back.ts";

export interface RetryTask extends TravelRequest, NodeRef {
  /** Only this node; what came after it keeps its results. */
  readonly noDeps?: boolean | undefined;
}

/** The node and everything that comes after it are pending again; files stay. */
export const retryTask = (
  deps: TravelDeps,
  { nodeId, iteration, noDeps = false, ...request }: RetryTask,
): Promise<SentBack> =>
  sendBack(deps, request, {
    verb: "retry-task",
    decide: async (history) => ({
      reset: resetOfNode(history, { target: { nodeId, iteration }, deps: !noDeps }),
      files: [],
    }),
  });

export interface Timetravel extends RetryTask {
  /** Default: the newest. */
  readonly attempt?: number | undefined;
  /** Leave the files as they are. */
  readonly noVcs?: boolean | undefined;
}

/** The run as it was when this attempt began, files included where they were recorded. */
export const timetravel = (
  deps: TravelDeps,
  { nodeId, iteration, attempt, noDeps = false, noVcs = false, ...request }: Timetravel,
): Promise<SentBack> =>
  sendBack(deps, request, {
    verb: "timetravel",
    decide: async (history, at) => {
      const began = attemptStart(history.events, { nodeId, iteration }, attempt);
      const reset = noDeps
        ? resetOfNode(history, { target: { nodeId, iteration }, deps: false })
        : resetToFrame(history, await at(began.seq - 1));
      return { reset, files: noVcs || !deps.vcs ? [] : filesBefore(history.events, began) };
    },
  });

type Started = Extract<StoredEvent, { type: "node.started" }>;

function attemptStart(events: readonly StoredEvent[], node: NodeRef, attempt: number | undefined): Started {
  const starts = events.filter(
    (event) => event.type === "node.started" && stateKey(event) === stateKey(node),
  ) as Started[];
  const found = starts.findLast((event) => attempt === undefined || event.attempt === attempt);
  if (found) return found;
  throw new SmoothError("NODE_NOT_FOUND", `${stateKey(node)} has no attempt ${attempt ?? 1}`, {
    details: { ...node, attempt },
  });
}

/** Its own start, and every other folder that was touched since as it was then. */
function filesBefore(events: readonly StoredEvent[], began: Started): readonly FilesAt[] {
  const { start } = filesAround(events, began);
  const others = filesAtSeq(events, began.seq - 1);
  return start ? [start, ...others.filter(({ root }) => root !== start.root)] : others;
}

export interface Revert extends NodeRef {
  readonly runId: string;
  readonly by: string;
  readonly attempt?: number | undefined;
}

/** Files only: those that this attempt left behind. The run does not notice, but its log says so. */
export async function revert(
  deps: Pick<TravelDeps, "store" | "clock"> & { readonly vcs: NonNullable<TravelDeps["vcs"]> },
  { runId, by, attempt, ...node }: Revert,
): Promise<FilesAt> {
  const { store, clock, vcs } = deps;
  await runOf(store, runId);
  const events = await store.events(runId, 0);
  const began = attemptStart(events, node, attempt);
  const { end } = filesAround(events, began);
  if (!end) throw noFiles(`the end of attempt ${began.attempt} of ${stateKey(node)}`);
  await withFiles({ vcs, runId, to: [end] }, () =>
    store.note({ runId, atMs: clock.now(), events: [{ type: "vcs.restored", ...end, by }] }),
  );
  return end;
}
