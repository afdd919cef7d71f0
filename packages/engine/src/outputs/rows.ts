/** The rows of one run, in memory, in the order they were recorded. */
import { localId, stateKey, type NodeRef } from "../graph/identity.ts";
import type { Row } from "./table.ts";

interface StoredRow extends NodeRef {
  readonly table: string;
  readonly row: Row;
}

export class OutputRows {
  readonly #byKey = new Map<string, StoredRow>();
  readonly #byTable = new Map<string, StoredRow[]>();

  add(table: string, ref: NodeRef, row: Row): void {
    const stored: StoredRow = { ...ref, table, row: frozen(row, ref) };
    this.#byKey.set(stateKey(ref), stored);
    const rows = this.#byTable.get(table) ?? [];
    this.#byTable.set(table, rows);
    rows.push(stored);
  }

  get(table: string, key: string): Row | undefined {
    const stored = this.#byKey.get(key);
    return stored?.table === table ? stored.row : undefined;
  }

  all(table: string): readonly Row[] {
    return (this.#byTable.get(table) ?? []).map((stored) => stored.row);
  }

  /** The row of the highest iteration of exactly this node. */
  last(table: string, nodeId: string): { readonly iteration: number; readonly row: Row } | undefined {
    const own = (this.#byTable.get(table) ?? []).filter((stored) => stored.nodeId === nodeId);
    return own.toSorted((a, b) => a.iteration - b.iteration).at(-1);
  }

  /** Rows of one node (or of every node with this local id), oldest iteration first. */
  ofNode(table: string, id: string): readonly Row[] {
    const rows = this.#byTable.get(table) ?? [];
    const exact = rows.filter((stored) => stored.nodeId === id);
    const found = exact.length > 0 ? exact : rows.filter((stored) => localId(stored.nodeId) === id);
    return found.toSorted((a, b) => a.iteration - b.iteration).map((stored) => stored.row);
  }
}

/** Rows say where they come from without letting it leak into spreads and JSON. */
function frozen(row: Row, { nodeId, iteration }: NodeRef): Row {
  const copy = { ...row };
  for (const [name, value] of Object.entries({ nodeId, iteration }))
    if (!(name in copy)) Object.defineProperty(copy, name, { value, enumerable: false });
  return deepFreeze(copy);
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
