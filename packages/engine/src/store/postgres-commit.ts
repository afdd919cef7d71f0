/** The statement that writes a group of batches: one statement, so one transaction and one round trip, whatever it holds.
 *  G3. Every part joins `owned`, the runs whose epoch still is the batch's, and whose owner has heard what it must: a batch that is
 *      stale or behind writes nothing, and spoils no other (S2, S9). */
import type { PgParam } from "@smooth/platform/ports";
import { stateKey } from "../graph/identity.ts";
import type { OutputTable } from "../outputs/table.ts";
import { OVER } from "../run/events.ts";
import { MUST_HEAR, type Batch, type OutputCells } from "./port.ts";
import { PG_TYPE, toPg } from "./postgres-schema.ts";
import { quoted } from "./sqlite-schema.ts";

export interface Statement {
  readonly text: string;
  readonly params: readonly PgParam[];
}

/** Rows of one part, as columns: what `unnest` takes. */
interface Part {
  /** Where the rows are called `p`, and `owned` the runs that may be written. */
  readonly sql: (from: string) => string;
  readonly columns: Readonly<Record<string, string>>;
  readonly rows: readonly (readonly PgValue[])[];
}
type PgValue = Exclude<PgParam, readonly unknown[]>;

const quotedList = (statuses: ReadonlySet<string>): string => [...statuses].map((status) => `'${status}'`).join(", ");

/** S6 is in `wake_at_ms`: an owner that has not heard all leaves the run due. */
const OWNED = `UPDATE _smithers_runs r SET last_seq = r.last_seq + p.events, heartbeat_at_ms = p.at_ms, updated_at_ms = p.at_ms,
  status = coalesce(p.status, r.status), error = CASE WHEN p.status IS NULL THEN r.error ELSE p.error END,
  owner = CASE WHEN p.status IS NULL THEN r.owner END,
  wake_at_ms = CASE WHEN p.status IS NULL THEN r.wake_at_ms WHEN r.last_seq > p.seen_seq THEN p.at_ms
    WHEN r.cancel_requested_by IS NOT NULL AND p.status NOT IN (${quotedList(OVER)}) THEN p.at_ms ELSE p.wake_at_ms END`;

/** S9. Of a batch that leaves its run so that nothing said to it may be unheard. */
const HEARD = `(p.status IS NULL OR p.status NOT IN (${quotedList(MUST_HEAR)})
  OR (r.last_seq <= p.seen_seq AND r.cancel_requested_by IS NULL))`;

/** No run twice in one group. Answers with `run_id` and `before_seq` of the runs that were written. */
export function commitStatement(batches: readonly Batch[]): Statement {
  const params: PgParam[] = [];
  const from = ({ columns, rows }: Pick<Part, "columns" | "rows">): string => {
    const lists = Object.values(columns).map(
      (type, at) => `$${params.push(rows.map((row) => row[at] ?? null))}::${type}[]`,
    );
    return `unnest(${lists.join(", ")}) AS p(${Object.keys(columns).map(quoted).join(", ")})`;
  };
  const owned = `${OWNED} FROM ${from(runs(batches))}
    WHERE r.run_id = p.run_id AND r.epoch = p.epoch AND r.owner IS NOT NULL AND ${HEARD} RETURNING r.run_id, r.last_seq - p.events AS before_seq`;
  const parts = Object.values(PARTS)
    .flatMap((part) => part(batches))
    .filter(({ rows }) => rows.length > 0);
  const written = parts.map((part, at) => `, part_${at} AS (${part.sql(from(part))})`);
  return { text: `WITH owned AS (${owned})${written.join("")} SELECT run_id, before_seq FROM owned`, params };
}

/** Every field of a batch that becomes rows: one that is missing here does not compile. */
type Rows = Exclude<keyof Batch, "runId" | "epoch" | "atMs" | "status" | "successor">;
const PARTS: Readonly<Record<Rows, (batches: readonly Batch[]) => readonly Part[]>> = {
  events: (batches) => [events(batches)],
  outputs: (batches) => outputs(batches),
  approvals: (batches) => [approvals(batches)],
  voided: (batches) => [voided(batches), voidedRuns(batches)],
  heartbeats: (batches) => [heartbeats(batches)],
  cached: (batches) => [cached(batches)],
  frames: (batches) => [frames(batches)],
};

const runs = (batches: readonly Batch[]): Pick<Part, "columns" | "rows"> => ({
  columns: {
    run_id: "text",
    epoch: "int",
    at_ms: "bigint",
    events: "int",
    status: "text",
    error: "text",
    wake_at_ms: "bigint",
    seen_seq: "bigint",
  },
  rows: batches.map(({ runId, epoch, atMs, events: { length }, status }) => {
    const error = status?.error ? JSON.stringify(status.error) : null;
    const end = [status?.status ?? null, error, status?.wakeAtMs ?? null, status?.seenSeq ?? null];
    return [runId, epoch, atMs, length, ...end];
  }),
});

const events = (batches: readonly Batch[]): Part => ({
  sql: (from) =>
    `INSERT INTO _smithers_events SELECT run_id, before_seq + p.place, p.at_ms, p.body FROM ${from} JOIN owned USING (run_id)`,
  columns: { run_id: "text", place: "int", at_ms: "bigint", body: "text" },
  rows: batches.flatMap(({ runId, atMs, events: own }) =>
    own.map((event, at) => [runId, at + 1, atMs, JSON.stringify(event)]),
  ),
});

/** One part per output table. */
function outputs(batches: readonly Batch[]): readonly Part[] {
  const byTable = new Map<string, { table: OutputTable; rows: PgValue[][] }>();
  for (const { runId, outputs: own } of batches)
    for (const output of own) {
      const group = byTable.get(output.table.name) ?? { table: output.table, rows: [] };
      group.rows.push(outputRow(runId, output));
      byTable.set(output.table.name, group);
    }
  return [...byTable.values()].map(({ table, rows }) => {
    const own = Object.fromEntries(table.columns.map(({ name, kind }) => [name, PG_TYPE[kind]]));
    const columns = { run_id: "text", node_id: "text", iteration: "int", ...own };
    const names = Object.keys(columns).map(quoted).join(", ");
    const values = Object.keys(columns)
      .map((name) => `p.${quoted(name)}`)
      .join(", ");
    const sql = (from: string): string =>
      `INSERT INTO ${quoted(table.name)} (${names}) SELECT ${values} FROM ${from} JOIN owned USING (run_id) ON CONFLICT DO NOTHING`;
    return { sql, columns, rows };
  });
}

const outputRow = (runId: string, { table, nodeId, iteration, cells }: OutputCells): PgValue[] => [
  runId,
  nodeId,
  iteration,
  ...table.columns.map((column, at) => toPg(cells[at] ?? null, column)),
];

const NODE = { run_id: "text", node_id: "text", iteration: "int" } as const;

/** One that is opened and given up in the same batch is void from its first row: the parts of a statement do not see each other. */
const approvals = (batches: readonly Batch[]): Part => ({
  sql: (from) => `INSERT INTO _smithers_approvals
      (run_id, node_id, iteration, mode, request, opened_at_ms, voided, workflow, decision, decided_by, decided_at_ms)
    SELECT run_id, p.node_id, p.iteration, p.mode, p.request, p.at_ms, p.voided, p.workflow, p.decision, p.decided_by,
      p.decided_at_ms FROM ${from} JOIN owned USING (run_id)
    ON CONFLICT (run_id, node_id, iteration) DO UPDATE SET mode = excluded.mode, request = excluded.request,
      opened_at_ms = excluded.opened_at_ms, voided = excluded.voided, workflow = excluded.workflow,
      decision = excluded.decision, decided_by = excluded.decided_by, decided_at_ms = excluded.decided_at_ms`,
  columns: {
    ...NODE,
    mode: "text",
    request: "text",
    at_ms: "bigint",
    voided: "int",
    workflow: "text",
    decision: "text",
    decided_by: "text",
    decided_at_ms: "bigint",
  },
  rows: batches.flatMap((batch) => {
    const given = new Set(batch.voided.map(stateKey));
    return batch.approvals.map(({ nodeId, iteration, mode, request, workflow, decided }) => {
      const isVoid = !decided && (given.has(stateKey({ nodeId, iteration })) || endsRun(batch));
      const decision = decided ? [JSON.stringify(decided.decision), decided.by, decided.atMs] : [null, null, null];
      const asked = [mode, JSON.stringify(request), batch.atMs, Number(isVoid), workflow];
      return [batch.runId, nodeId, iteration, ...asked, ...decision];
    });
  }),
});

const endsRun = ({ status }: Batch): boolean => status !== null && OVER.has(status.status);

const voided = (batches: readonly Batch[]): Part => ({
  sql: (from) => `UPDATE _smithers_approvals a SET voided = 1 FROM ${from} JOIN owned USING (run_id)
    WHERE a.run_id = p.run_id AND a.node_id = p.node_id AND a.iteration = p.iteration AND a.decision IS NULL`,
  columns: NODE,
  rows: batches.flatMap(({ runId, voided: own }) => own.map(({ nodeId, iteration }) => [runId, nodeId, iteration])),
});

/** S7 */
const voidedRuns = (batches: readonly Batch[]): Part => ({
  sql: (from) => `UPDATE _smithers_approvals a SET voided = 1 FROM ${from} JOIN owned USING (run_id)
    WHERE a.run_id = p.run_id AND a.decision IS NULL`,
  columns: { run_id: "text" },
  rows: batches.filter(endsRun).map(({ runId }) => [runId]),
});

/** A statement may touch a row once, so of two beats of a node only the last one is there. */
const heartbeats = (batches: readonly Batch[]): Part => ({
  sql: (from) => `INSERT INTO _smithers_heartbeats SELECT run_id, p.node_id, p.iteration, p.payload
    FROM ${from} JOIN owned USING (run_id) ON CONFLICT (run_id, node_id, iteration) DO UPDATE SET payload = excluded.payload`,
  columns: { ...NODE, payload: "text" },
  rows: batches.flatMap(({ runId, heartbeats: own }) => {
    const last = new Map(own.map((beat) => [stateKey(beat), beat]));
    return [...last.values()].map(({ nodeId, iteration, payload }) => [
      runId,
      nodeId,
      iteration,
      JSON.stringify(payload),
    ]);
  }),
});

/** K2, among the batches that are not stale. */
const cached = (batches: readonly Batch[]): Part => ({
  sql: (from) => `INSERT INTO _smithers_cache SELECT DISTINCT ON (p.key) p.key, run_id, p.row, p.at_ms
    FROM ${from} JOIN owned USING (run_id) ORDER BY p.key, p.place DESC
    ON CONFLICT (key) DO UPDATE SET run_id = excluded.run_id, row = excluded.row, at_ms = excluded.at_ms`,
  columns: { run_id: "text", key: "text", row: "text", at_ms: "bigint", place: "int" },
  rows: batches
    .flatMap(({ runId, atMs, cached: own }) => own.map(({ key, row }) => [runId, key, row, atMs] as const))
    .map((entry, place) => [...entry, place]),
});

const frames = (batches: readonly Batch[]): Part => ({
  sql: (from) =>
    `INSERT INTO _smithers_frames SELECT run_id, before_seq + p.place, p.is_full, p.delta FROM ${from} JOIN owned USING (run_id)`,
  columns: { run_id: "text", place: "int", is_full: "int", delta: "text" },
  rows: batches.flatMap(({ runId, frames: own }) =>
    own.map(({ offset, full, delta }) => [runId, offset, Number(full), JSON.stringify(delta)]),
  ),
});
