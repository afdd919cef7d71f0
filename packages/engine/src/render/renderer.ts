/** Turns a React element into a tree of host nodes, synchronously.
 *  R1. A frame that throws or suspends is WORKFLOW_RENDER_FAILED with its cause, never an empty frame.
 *  R2. One renderer lives as long as its run, so hooks keep their state between frames of one process. */
import { SmoothError } from "@smooth/protocol/errors";
import { ConcurrentRoot, createReconciler, DiscreteEventPriority, NoEventPriority, React } from "./react.ts";

export interface HostElement {
  readonly kind: "element";
  readonly tag: string;
  props: Readonly<Record<string, unknown>>;
  readonly children: HostNode[];
}
interface HostText {
  readonly kind: "text";
  text: string;
}
export type HostNode = HostElement | HostText;

export interface Renderer {
  render(element: React.ReactElement): readonly HostNode[];
  /** Nothing has happened in the tree since: no component has set state behind the frame. */
  stands(): boolean;
  unmount(): void;
}

const MAX_EFFECT_ROUNDS = 50;
/** React takes a tree down by recursion, and a stack that overflows there leaves it useless for every other run. */
const MAX_DEPTH = 500;

interface Container {
  readonly children: HostNode[];
  commits: number;
}

export function openRenderer(): Renderer {
  const container: Container = { children: [], commits: 0 };
  const failures: unknown[] = [];
  const onError = (cause: unknown): void => {
    failures.push(cause);
  };
  const root = reconciler.createContainer(
    container,
    ConcurrentRoot,
    null,
    false,
    null,
    "",
    onError,
    onError,
    onError,
    () => {},
  );
  const commit = (element: React.ReactElement | null): void => {
    reconciler.updateContainerSync(element, root, null, null);
    reconciler.flushSyncWork();
    for (let round = 0; reconciler.flushPassiveEffects(); round += 1) {
      if (round === MAX_EFFECT_ROUNDS) throw new Error("an effect sets state in every frame");
      reconciler.flushSyncWork();
    }
  };

  let shown = 0;

  return {
    render(element) {
      failures.length = 0;
      const before = container.commits;
      try {
        commit(element);
      } catch (cause) {
        onError(cause);
      }
      if (failures.length === 0 && container.commits === before)
        onError(new Error("the frame suspended: a component threw a promise"));
      shown = container.commits;
      if (failures.length > 0) throw renderFailed(failures[0]); // R1
      return container.children;
    },
    stands: () => container.commits === shown && failures.length === 0,
    unmount: () => commit(null),
  };
}

function renderFailed(cause: unknown): SmoothError {
  if (cause instanceof SmoothError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return new SmoothError("WORKFLOW_RENDER_FAILED", `the workflow failed to render: ${text}${placeOf(cause)}`, {
    cause,
  });
}

/** Where the author's own code threw: the innermost place that is neither a package's nor Node's. */
function placeOf(cause: unknown): string {
  const stack = cause instanceof Error ? (cause.stack ?? "") : "";
  const own = stack.split("\n").find((line) => /^\s+at .*:\d+:\d+\)?$/.test(line) && !/node_modules|node:/.test(line));
  const [, url, file = "", line] = /(file:\/\/)?([^\s(]+?)(?:\?[^:]*)?:(\d+):\d+\)?$/.exec(own ?? "") ?? [];
  return line === undefined ? "" : ` (${url ? decodeURI(file) : file}, line ${line})`;
}

function insert(parent: Container | HostElement, child: HostNode, before?: HostNode): void {
  remove(parent, child);
  const at = before ? parent.children.indexOf(before) : -1;
  if (at < 0) parent.children.push(child);
  else parent.children.splice(at, 0, child);
}

/** A freshly created child is not in the list yet, and then the search from the end stops at once for an empty one. */
function remove(parent: Container | HostElement, child: HostNode): void {
  const at = parent.children.lastIndexOf(child);
  if (at >= 0) parent.children.splice(at, 1);
}

const push = (parent: HostElement, child: HostNode): void => void parent.children.push(child);
const nothing = (): void => {};
const no = (): boolean => false;
let priority: number = NoEventPriority;

/** The part of React's host contract that a tree in memory needs. */
const hostConfig = {
  isPrimaryRenderer: false,
  supportsMutation: true,
  supportsPersistence: false,
  supportsHydration: false,
  supportsMicrotasks: true,
  scheduleMicrotask: queueMicrotask,
  scheduleTimeout: nothing,
  cancelTimeout: nothing,
  noTimeout: -1,
  createInstance: (tag: string, props: Record<string, unknown>): HostElement => ({
    kind: "element",
    tag,
    props,
    children: [],
  }),
  createTextInstance: (text: string): HostText => ({ kind: "text", text }),
  appendInitialChild: push,
  appendChild: insert,
  appendChildToContainer: insert,
  insertBefore: insert,
  insertInContainerBefore: insert,
  removeChild: remove,
  removeChildFromContainer: remove,
  clearContainer: (container: Container): void => void (container.children.length = 0),
  commitUpdate: (...[node, , , props]: [HostElement, string, unknown, Record<string, unknown>]): void =>
    void (node.props = props),
  commitTextUpdate: (node: HostText, _before: string, text: string): void => void (node.text = text),
  resetTextContent: nothing,
  hideInstance: nothing,
  unhideInstance: nothing,
  hideTextInstance: nothing,
  unhideTextInstance: nothing,
  finalizeInitialChildren: no,
  shouldSetTextContent: no,
  prepareForCommit: () => null,
  resetAfterCommit: (container: Container): void => void (container.commits += 1),
  commitMount: nothing,
  preparePortalMount: nothing,
  detachDeletedInstance: nothing,
  /** The depth of a host element; thrown here, it is the frame's own failure. */
  getRootHostContext: () => 0,
  getChildHostContext(depth: number): number {
    if (depth < MAX_DEPTH) return depth + 1;
    throw new SmoothError("WORKFLOW_RENDER_FAILED", `elements are nested deeper than ${MAX_DEPTH}`);
  },
  getPublicInstance: (node: HostNode) => node,
  getInstanceFromNode: () => null,
  getInstanceFromScope: () => null,
  prepareScopeUpdate: nothing,
  beforeActiveInstanceBlur: nothing,
  afterActiveInstanceBlur: nothing,
  setCurrentUpdatePriority: (next: number): void => void (priority = next),
  getCurrentUpdatePriority: () => priority,
  // Every update belongs to the frame that caused it, so all of them are synchronous.
  resolveUpdatePriority: () => DiscreteEventPriority,
  resolveEventType: () => null,
  resolveEventTimeStamp: () => -1.1,
  trackSchedulerEvent: nothing,
  requestPostPaintCallback: nothing,
  shouldAttemptEagerTransition: no,
  maySuspendCommit: no,
  maySuspendCommitOnUpdate: no,
  maySuspendCommitInSyncRender: no,
  preloadInstance: () => true,
  startSuspendingCommit: () => null,
  suspendInstance: nothing,
  suspendOnActiveViewTransition: nothing,
  waitForCommitToBeReady: () => null,
  getSuspendedCommitReason: () => null,
  NotPendingTransition: null,
  HostTransitionContext: React.createContext(null),
  resetFormInstance: nothing,
};

/** What we use of the reconciler; the published types trail the package. */
interface Reconciler {
  createContainer(...args: readonly unknown[]): object;
  updateContainerSync(element: React.ReactElement | null, root: object, parent: null, done: null): void;
  flushSyncWork(): void;
  flushPassiveEffects(): boolean;
}
const reconciler = createReconciler(hostConfig as never) as unknown as Reconciler;
