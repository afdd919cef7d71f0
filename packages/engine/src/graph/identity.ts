/** Names that survive a crash.
 *  I1. State key = `nodeId::iteration`, split at the last `::`.
 *  I2. nodeId = task id + `@@loop=iter[,…]` for every ancestor loop but the innermost, whose iteration is the `iteration` field. */

export interface NodeRef {
  readonly nodeId: string;
  readonly iteration: number;
}

export const stateKey = ({ nodeId, iteration }: NodeRef): string => `${nodeId}::${iteration}`;

/** Without whatever else the value carries. */
export const refOf = ({ nodeId, iteration }: NodeRef): NodeRef => ({ nodeId, iteration });

export function parseStateKey(key: string): NodeRef {
  const at = key.lastIndexOf("::");
  return { nodeId: key.slice(0, at), iteration: Number(key.slice(at + 2)) };
}

/** The id an author wrote, without the scope of its loops. */
export const localId = (nodeId: string): string => nodeId.split("@@", 1)[0] ?? nodeId;

/** Local ids of the enclosing loops, outermost first. */
export type LoopChain = readonly string[];

/** Current iteration per scoped loop id; a loop that never advanced is at 0. */
export type LoopIterations = ReadonlyMap<string, number>;

/** I2 for a task (or a loop) inside `chain`, at the iterations its loops have now. */
export function resolveRef(id: string, chain: LoopChain, loops: LoopIterations): NodeRef {
  if (chain.length === 0) return { nodeId: id, iteration: 0 };
  let scope = "";
  let iteration = 0;
  for (const [depth, loop] of chain.entries()) {
    if (depth > 0) scope += `${scope ? "," : "@@"}${chain[depth - 1]}=${iteration}`;
    iteration = loops.get(loop + scope) ?? 0;
  }
  return { nodeId: id + scope, iteration };
}

/** A loop's own key: its id and the iterations of every loop around it. */
export const loopKey = (id: string, chain: LoopChain, loops: LoopIterations): string =>
  resolveRef(id, [...chain, id], loops).nodeId;
