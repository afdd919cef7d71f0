/** What a workflow's render function sees: input and recorded rows, nothing else.
 *  C1. Every read is noted, so that a frame is rendered again exactly when something it read has changed.
 *  C2. A lookup without iteration means the iteration the node's own loops are at now; so it has read where they are. */
import type { z } from "zod";
import { SmoothError } from "@smooth/protocol/errors";
import { resolveRef, stateKey, type LoopChain, type LoopIterations, type NodeRef } from "../graph/identity.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { OutputRegistry } from "../outputs/registry.ts";
import type { OutputRows } from "../outputs/rows.ts";
import type { OutputTable } from "../outputs/table.ts";
import type { ScopeState } from "../run/state.ts";

export type Schemas = Readonly<Record<string, z.ZodObject>>;
// Without an input schema the author's own types rule, as in the documented API.
// oxlint-disable-next-line typescript/no-explicit-any
export type InputOf<S> = S extends { readonly input: infer I extends z.ZodType } ? z.output<I> : any;

/** A ref from `outputs`, or the key of a schema. */
export type RefOf<S> = z.ZodObject | (keyof S & string);
export type RowOf<S, R> = R extends z.ZodObject
  ? z.output<R>
  : R extends keyof S
    ? S[R] extends z.ZodType
      ? z.output<S[R]>
      : never
    : never;
/** Who started a run, where its starter says so. */
export interface RunAuthContext {
  readonly triggeredBy: string;
  readonly scopes: readonly string[];
  readonly role: string;
  readonly createdAt: string;
}

export interface OutputKey {
  readonly nodeId: string;
  readonly iteration?: number;
}

export type OutputAccessor<S> = (<R extends RefOf<S>>(ref: R) => RowOf<S, R>[]) & {
  readonly [K in keyof S]: S[K] extends z.ZodType ? z.output<S[K]>[] : never;
};

export interface WorkflowContext<S = Schemas> {
  readonly runId: string;
  /** Of the enclosing loop; at the top level, of the first loop. */
  readonly iteration: number;
  readonly iterations: Readonly<Record<string, number>>;
  readonly input: InputOf<S>;
  /** What the run was started with, as it was given. */
  readonly auth: RunAuthContext | null;
  /** Every row of a schema, across nodes and iterations. */
  readonly outputs: OutputAccessor<S>;
  /** Throws when the row is not there yet. */
  output<R extends RefOf<S>>(ref: R, key: OutputKey | string): RowOf<S, R>;
  outputMaybe<R extends RefOf<S>>(ref: R, key: OutputKey | string): RowOf<S, R> | undefined;
  /** The row of the highest iteration. */
  latest<R extends RefOf<S>>(ref: R, nodeId?: string): RowOf<S, R> | undefined;
  /** The members of `value` that fit `schema`. */
  latestArray<T extends z.ZodType>(value: unknown, schema: T): z.output<T>[];
  iterationCount<R extends RefOf<S>>(ref: R, nodeId: string): number;
}

/** Everything a frame reads, owned by the run. */
export interface FrameSource {
  readonly runId: string;
  readonly input: unknown;
  readonly auth: JsonValue;
  readonly registry: OutputRegistry;
  readonly rows: OutputRows;
  readonly loops: LoopIterations;
  /** Loops around each local id, as the last frames showed them. */
  readonly chains: ReadonlyMap<string, LoopChain>;
  /** C1. `id` is a local node id, or `*` for the whole table. */
  readonly onRead: (table: string, id: string) => void;
  /** C1. What was read depends on where a loop is. */
  readonly onLoopRead: () => void;
  /** What failed in the scope that this component's element turned out to be. */
  readonly scopeOf: (handle: object) => ScopeState | undefined;
}

/** `scope`: the loops around whoever reads; absent at the top level. */
export function frameContext(source: FrameSource, scope?: LoopChain): WorkflowContext {
  const { registry, rows } = source;
  const refOf = (nodeId: string): NodeRef => {
    const chain = source.chains.get(nodeId) ?? [];
    if (chain.length > 0) source.onLoopRead();
    return resolveRef(nodeId, chain, source.loops);
  };
  const rowAt = (table: OutputTable, key: OutputKey | string): unknown => {
    const { nodeId, iteration } = typeof key === "string" ? { nodeId: key } : key;
    source.onRead(table.name, nodeId);
    const at = refOf(nodeId);
    return (
      rows.get(table.name, stateKey({ nodeId: at.nodeId, iteration: iteration ?? at.iteration })) ??
      onlyRow(nodeId, iteration, table)
    );
  };
  /** A node whose loops are not known in this process (it left the tree before a resume) still has its last row. */
  const onlyRow = (nodeId: string, iteration: number | undefined, table: OutputTable): unknown =>
    source.chains.has(nodeId) || iteration !== undefined ? undefined : rows.latestOf(table.name, nodeId);
  /** What its rows are kept under, noted as read. */
  const idRead = (table: OutputTable, nodeId: string): string => {
    source.onRead(table.name, nodeId);
    return source.chains.has(nodeId) ? refOf(nodeId).nodeId : nodeId;
  };
  const allRows = (ref: unknown): readonly unknown[] => {
    const table = registry.find(ref);
    source.onRead(table.name, "*");
    return rows.all(table.name);
  };

  const context = {
    runId: source.runId,
    get iteration() {
      source.onLoopRead();
      return resolveRef("", scope ?? firstLoop(source), source.loops).iteration;
    },
    get iterations() {
      source.onLoopRead();
      return Object.fromEntries(source.loops);
    },
    input: source.input,
    auth: source.auth,
    outputs: accessor(registry, allRows),
    outputMaybe: (ref: unknown, key: OutputKey | string) => rowAt(registry.find(ref), key),
    output(ref: unknown, key: OutputKey | string) {
      const table = registry.find(ref);
      const row = rowAt(table, key);
      if (row === undefined) throw noRow(table, typeof key === "string" ? key : key.nodeId);
      return row;
    },
    latest(ref: unknown, nodeId?: string) {
      const table = registry.find(ref);
      return nodeId === undefined ? allRows(ref).at(-1) : rows.latestOf(table.name, idRead(table, nodeId));
    },
    latestArray: (value: unknown, schema: z.ZodType) => fitting(value, schema),
    iterationCount(ref: unknown, nodeId: string) {
      const table = registry.find(ref);
      return rows.countOf(table.name, idRead(table, nodeId));
    },
  };
  return context as unknown as WorkflowContext;
}

/** At the top level of a workflow with loops, `ctx.iteration` is the first one's. */
function firstLoop({ chains }: FrameSource): LoopChain {
  for (const chain of chains.values()) if (chain.length > 0) return chain.slice(0, 1);
  return [];
}

function accessor(registry: OutputRegistry, allRows: (ref: unknown) => readonly unknown[]): unknown {
  const read = (ref: unknown): readonly unknown[] => allRows(ref);
  for (const { name } of registry.tables)
    Object.defineProperty(read, name, { get: () => allRows(name), configurable: true });
  return read;
}

function fitting(value: unknown, schema: z.ZodType): unknown[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  return list.flatMap((member) => {
    const parsed = schema.safeParse(member);
    return parsed.success ? [parsed.data] : [];
  });
}

const noRow = (table: OutputTable, nodeId: string): SmoothError =>
  new SmoothError(
    "NODE_NOT_FOUND",
    `node ${nodeId} has no ${table.name} row yet; use ctx.outputMaybe while it may be missing`,
    {
      details: { nodeId, output: table.name },
    },
  );
