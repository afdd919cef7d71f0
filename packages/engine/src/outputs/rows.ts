/** The rows of one run, in memory, in the order they were recorded. The rows of a node are found without looking at any other's,
 *  and a row that nobody reads is never made. */
import { localId, stateKey, type NodeRef } from "../graph/identity.ts";
import type { Row } from "./table.ts";

class StoredRow implements NodeRef {
  readonly nodeId: string;
  readonly iteration: number;
  readonly table: string;
  #read: (() => Row) | null;
  #row: Row | null = null;

  constructor({ nodeId, iteration }: NodeRef, table: string, read: () => Row) {
    this.nodeId = nodeId;
    this.iteration = iteration;
    this.table = table;
    this.#read = read;
  }

  get row(): Row {
    if (this.#read) this.#row = frozen(this.#read(), this);
    this.#read = null;
    return this.#row as Row;
  }
}

export class OutputRows {
  readonly #byKey = new Map<string, StoredRow>();
  readonly #byTable = new Map<string, StoredRow[]>();
  /** `<table> <node id>`, and `<table> <local id>` of nodes in nested loops, over all scopes: oldest iteration first. */
  readonly #byNode = new Map<string, StoredRow[]>();
  readonly #byLocalId = new Map<string, StoredRow[]>();

  /** `read` makes the row when it is first asked for, and is asked once. */
  add(table: string, ref: NodeRef, read: () => Row): void {
    const stored = new StoredRow(ref, table, read);
    this.#byKey.set(stateKey(ref), stored);
    listIn(this.#byTable, table).push(stored);
    insertByIteration(listIn(this.#byNode, `${table} ${ref.nodeId}`), stored);
    const id = localId(ref.nodeId);
    if (id !== ref.nodeId) insertByIteration(listIn(this.#byLocalId, `${table} ${id}`), stored);
  }

  get(table: string, key: string): Row | undefined {
    const stored = this.#byKey.get(key);
    return stored?.table === table ? stored.row : undefined;
  }

  entries(table: string): readonly StoredRow[] {
    return this.#byTable.get(table) ?? [];
  }

  all(table: string): readonly Row[] {
    return (this.#byTable.get(table) ?? []).map((stored) => stored.row);
  }

  /** The row of the highest iteration of exactly this node. */
  last(table: string, nodeId: string): StoredRow | undefined {
    return this.#byNode.get(`${table} ${nodeId}`)?.at(-1);
  }

  /** The row of the highest iteration of this node (or of any node with this local id). */
  latestOf(table: string, id: string): Row | undefined {
    return this.#ofNode(table, id).at(-1)?.row;
  }

  /** How many rows this node has (or every node with this local id). */
  countOf(table: string, id: string): number {
    return this.#ofNode(table, id).length;
  }

  #ofNode(table: string, id: string): readonly StoredRow[] {
    const at = `${table} ${id}`;
    return this.#byNode.get(at) ?? this.#byLocalId.get(at) ?? [];
  }
}

function listIn(lists: Map<string, StoredRow[]>, at: string): StoredRow[] {
  const list = lists.get(at) ?? [];
  if (list.length === 0) lists.set(at, list);
  return list;
}

/** Iterations come in order, nearly always. */
function insertByIteration(list: StoredRow[], stored: StoredRow): void {
  let at = list.length;
  if (at === 0 || (list[at - 1]?.iteration ?? 0) <= stored.iteration) return void list.push(stored);
  while (at > 0 && (list[at - 1]?.iteration ?? 0) > stored.iteration) at -= 1;
  list.splice(at, 0, stored);
}

/** Rows say where they come from without letting it leak into spreads and JSON. */
function frozen(row: Row, { nodeId, iteration }: NodeRef): Row {
  const copy = { ...row };
  if (!("nodeId" in copy)) Object.defineProperty(copy, "nodeId", { value: nodeId });
  if (!("iteration" in copy)) Object.defineProperty(copy, "iteration", { value: iteration });
  return deepFreeze(copy);
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
