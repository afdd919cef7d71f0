/** Renders the frames of one run and knows what they read.
 *  F1. What any frame has read is never forgotten, so components that sit out a frame stay covered.
 *  F2. A lookup made before the frame showed where its node stands is made again.
 *  F3. The tree is made of what was read, and the plan of the tree and of where its loops are: a loop that goes on needs no render,
 *      unless a frame has read where a loop is. */
import { SmoothError } from "@smooth/protocol/errors";
import { extract } from "../graph/extract.ts";
import type { ExtractInput } from "../graph/walk.ts";
import { localId, type LoopChain, type LoopIterations } from "../graph/identity.ts";
import type { Plan } from "../graph/plan.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { OutputRows } from "../outputs/rows.ts";
import { openRenderer, type HostNode } from "../render/renderer.ts";
import { frameContext, type FrameSource, type WorkflowContext } from "../render/ctx.ts";
import { onlyWithin } from "../render/within.ts";
import { frameElement, type WorkflowDefinition } from "../render/workflow.ts";
import type { ScopeState } from "./state.ts";

const MAX_RENDERS_PER_FRAME = 20;

type Noting = Pick<FrameSource, "onRead" | "onLoopRead">;
const UNNOTED: Noting = { onRead: () => {}, onLoopRead: () => {} };

export interface FramesInput {
  readonly workflow: WorkflowDefinition;
  readonly runId: string;
  readonly input: unknown;
  readonly auth: JsonValue;
  readonly rows: OutputRows;
  readonly loops: LoopIterations;
  readonly scopes: ReadonlyMap<string, ScopeState>;
}

export class Frames {
  #in: FramesInput;
  #renderer = openRenderer();
  readonly #chains = new Map<string, LoopChain>();
  readonly #reads = new Set<string>();
  #readsLoops = false;
  #rendering = false;
  /** Of the tree as it stands, once a loop of it has gone on. */
  #drafts: ExtractInput["read"];
  #handles: ReadonlyMap<object, string> = new Map();
  #nodes: readonly HostNode[] = [];

  constructor(input: FramesInput) {
    this.#in = input;
  }

  /** Throws what the workflow throws, as WORKFLOW_RENDER_FAILED; and DUPLICATE_ID, PROP_UNSUPPORTED, INVALID_INPUT. */
  render(): Plan {
    for (let round = 0; round < MAX_RENDERS_PER_FRAME; round += 1) {
      this.#show();
      const plan = this.#read();
      if (!this.#learn(plan)) return plan;
    }
    throw new SmoothError(
      "WORKFLOW_RENDER_FAILED",
      "the frame does not settle: its loops change place in every render",
    );
  }

  /** F3. The plan of the tree as it stands, at the iterations its loops have now; undefined: a new tree is needed. */
  turned(): Plan | undefined {
    if (this.#readsLoops || !this.#renderer.stands()) return undefined;
    this.#drafts ??= new Map();
    const plan = this.#read();
    return this.#learn(plan) ? undefined : plan;
  }

  #show(): void {
    const { workflow } = this.#in;
    this.#rendering = true;
    this.#drafts = undefined;
    try {
      const nodes = this.#renderer.render(frameElement(workflow, this.#source(this.#noted)));
      this.#nodes = onlyWithin(nodes, workflow.within);
    } finally {
      this.#rendering = false;
    }
  }

  #read(): Plan {
    const { workflow, loops } = this.#in;
    return extract({ nodes: this.#nodes, registry: workflow.registry, loops, known: this.#chains, read: this.#drafts });
  }

  /** The tree of the last frame. */
  get nodes(): readonly HostNode[] {
    return this.#nodes;
  }

  /** The next frames are this workflow's; its components start without the state that those before had.
   *  Throws what its first frame throws, and then nothing has changed. */
  exchange(workflow: WorkflowDefinition): void {
    const before = { given: this.#in, renderer: this.#renderer, nodes: this.#nodes, handles: this.#handles };
    this.#in = { ...this.#in, workflow };
    this.#renderer = openRenderer();
    try {
      this.render();
      before.renderer.unmount();
    } catch (error) {
      this.#renderer.unmount();
      this.#in = before.given;
      this.#renderer = before.renderer;
      this.#nodes = before.nodes;
      this.#handles = before.handles;
      throw error;
    }
  }

  /** Whether a frame has read this node's row, or all rows of its table. */
  hasRead(table: string, id: string): boolean {
    return this.#reads.has(`${table} ${id}`) || this.#reads.has(`${table} *`);
  }

  /** The ctx of a node inside these loops, outside of any frame: its reads are not noted. */
  contextIn(chain: LoopChain): WorkflowContext {
    return frameContext(this.#source(UNNOTED), chain.length > 0 ? chain : undefined);
  }

  #source(noting: Noting): FrameSource {
    const { scopes, workflow } = this.#in;
    const scopeOf = (handle: object) => scopes.get(this.#handles.get(handle) ?? "");
    return { ...this.#in, registry: workflow.registry, chains: this.#chains, scopeOf, ...noting };
  }

  /** A body that asks where its loop is, long after the frame that made it, shows nothing by it. */
  readonly #noted: Noting = {
    onRead: (table, id) => void this.#reads.add(`${table} ${id === "*" ? id : localId(id)}`),
    onLoopRead: () => void (this.#readsLoops ||= this.#rendering),
  };

  close(): void {
    this.#renderer.unmount();
  }

  /** F2 */
  #learn(plan: Plan): boolean {
    let moved = false;
    for (const [id, chain] of plan.chains) {
      const before = this.#chains.get(id);
      if (before?.length === chain.length && chain.every((loop, at) => loop === before[at])) continue;
      moved ||= chain.length > 0 || before !== undefined;
      this.#chains.set(id, chain);
    }
    return this.#learnHandles(plan) || moved;
  }

  /** A component that was shown the state of another scope than the one it turned out to be is asked again. */
  #learnHandles({ handles }: Plan): boolean {
    const { scopes } = this.#in;
    const before = this.#handles;
    this.#handles = handles;
    if (handles.size === 0) return false; // the ordinary frame
    return [...handles].some(([handle, scopeId]) => scopes.get(before.get(handle) ?? "") !== scopes.get(scopeId));
  }
}
