/** Files in time travel: which recorded state of a folder belongs to a point of a run, and moving there and back.
 *  F1. Before files are moved, the present ones get a name too; when what comes next fails, they are put back. */
import { SmoothError } from "@smooth/protocol/errors";
import type { DiffFile } from "@smooth/protocol/run-events";
import { stateKey, type NodeRef } from "../graph/identity.ts";
import type { StoredEvent } from "../run/events.ts";
import type { FilesAt } from "../store/travel-port.ts";

/** Version control as runs need it. A pointer is its own name for a state of all files that it does not ignore. */
export interface WorkspaceVcs {
  /** Names the files of `root` as they are, and moves nothing; null: not under version control. The name holds as long as the run. */
  snapshot(root: string, runId: string): Promise<string | null>;
  /** Makes the files of `root` those of the pointer. History, branches and what is ignored stay as they are. */
  restore(root: string, pointer: string): Promise<void>;
  diff(root: string, from: string, to: string): Promise<readonly DiffFile[]>;
}

export interface AttemptRef extends NodeRef {
  readonly attempt: number;
}

/** What was recorded around one attempt. */
export function filesAround(
  events: readonly StoredEvent[],
  node: AttemptRef,
): { readonly start: FilesAt | null; readonly end: FilesAt | null } {
  const found = { start: null as FilesAt | null, end: null as FilesAt | null };
  for (const event of events)
    if (event.type === "vcs.pointer" && event.attempt === node.attempt && stateKey(event) === stateKey(node))
      found[event.when] = { root: event.root, pointer: event.pointer };
  return found;
}

/** The files of every folder that was touched after `seq`, as they were then.
 *  F2. Only agents' attempts are named. What a step without a name did shows in the next name: that one holds when such a step
 *      ended between the last name and `seq`, and none between `seq` and the next. */
export function filesAtSeq(events: readonly StoredEvent[], seq: number): readonly FilesAt[] {
  const names = events.filter((event) => event.type === "vcs.pointer" || event.type === "vcs.restored");
  const named = new Set(names.flatMap((event) => (event.type === "vcs.pointer" ? [stateKey(event)] : [])));
  const unnamed = events.filter((event) => event.type === "node.finished" && !named.has(stateKey(event)));
  const endedIn = (afterSeq: number, untilSeq: number): boolean =>
    unnamed.some((event) => event.seq > afterSeq && event.seq <= untilSeq);
  const then = new Map(names.filter((event) => event.seq <= seq).map((event) => [event.root, event]));
  const since = new Map(
    names
      .filter((event) => event.seq > seq)
      .toReversed()
      .map((event) => [event.root, event]),
  );
  return [...since.values()].map((next) => {
    const last = then.get(next.root) ?? next;
    const between =
      last.type === "vcs.pointer" && last.when === "end" && next.type === "vcs.pointer" && next.when === "start";
    const isNext = between && endedIn(last.seq, seq) && !endedIn(seq, next.seq); // F2
    return { root: next.root, pointer: (isNext ? next : last).pointer };
  });
}

export interface Move {
  readonly vcs: WorkspaceVcs;
  /** Whose files move. */
  readonly runId: string;
  readonly to: readonly FilesAt[];
  /** Told before anything moves. */
  readonly onUndo?: (undo: readonly FilesAt[]) => Promise<void>;
}

/** F1. Throws what `next` throws, and REWIND_FAILED when the way back fails as well. */
export async function withFiles<T>({ vcs, runId, to, onUndo }: Move, next: () => Promise<T>): Promise<T> {
  const undo: FilesAt[] = [];
  for (const { root } of to) {
    const pointer = await vcs.snapshot(root, runId);
    if (pointer === null) throw new SmoothError("VCS_FAILED", `${root} is not under version control any more`);
    undo.push({ root, pointer });
  }
  await onUndo?.(undo);
  try {
    for (const { root, pointer } of to) await vcs.restore(root, pointer);
    return await next();
  } catch (cause) {
    await putBack(vcs, undo, cause);
    throw cause;
  }
}

export async function putBack(vcs: WorkspaceVcs, undo: readonly FilesAt[], cause: unknown): Promise<void> {
  for (const { root, pointer } of undo)
    await vcs.restore(root, pointer).catch((error: unknown) => {
      throw new SmoothError("REWIND_FAILED", `${root} could not be put back to ${pointer}: ${String(error)}`, {
        cause,
        details: { root, pointer },
      });
    });
}

export const noFiles = (what: string): SmoothError =>
  new SmoothError(
    "SNAPSHOT_NOT_FOUND",
    `no files were recorded at ${what}; was the run under version control, and did an agent work before or after it?`,
  );
