import { join } from "node:path";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { PearlId } from "@smooth/protocol/ids";
import type { Pearl } from "@smooth/protocol/pearls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../patience.ts";
import { PlayedDashboard } from "../dashboard/played-dashboard.ts";
import { RealHost } from "./real-host.ts";

/** A real host reports to a real dashboard what a newer host, or one with a huge diff, may have to say. */

const RUN = "run-bulky0001";
const MIB = 1_048_576;
const FILE = { path: "big.txt", status: "modified", binary: false, additions: 1, deletions: 0 };
const pearlId = { unreadable: "th-0unread1", last: "th-0last001" };

let dashboard: PlayedDashboard;
let host: RealHost;

beforeAll(async () => {
  dashboard = await PlayedDashboard.start();
  host = new RealHost({ SMOOTH_DASHBOARD_URL: dashboard.url, SMOOTH_PAIRING_CODE: await dashboard.pairingCode() });
  await host.start();
  await host.kill();
  write();
  await host.start();
});
afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await dashboard?.[Symbol.asyncDispose]();
});

/** Twenty events of 2 MiB (more than one request may hold), one that no request may hold, and a record of unknown shape. */
function write(): void {
  const sql = openSqlite(join(host.home, "host.db"));
  const sizes = [0, ...Array.from({ length: 20 }, () => 2 * MIB), 33 * MIB, 10];
  sql.transaction(() => {
    sql.run(
      `INSERT INTO run_log (run_id, title, workflow, status, demo, started_at_ms, updated_at_ms, last_seq)
       VALUES (?, 'Bulky', 'pearl', 'running', 0, 1, 1, ?)`,
      [RUN, sizes.length],
    );
    sizes.forEach((size, index) => {
      const body =
        size === 0
          ? { type: "run.started", title: "Bulky", workflow: "pearl", pearlId: null, demo: false }
          : { type: "diff.ready", diffHash: "d".repeat(64), files: [{ ...FILE, patch: "x".repeat(size) }] };
      sql.run("INSERT INTO run_event (run_id, seq, at_ms, body) VALUES (?, ?, 1, ?)", [
        RUN,
        index + 1,
        JSON.stringify(body),
      ]);
      sql.run("INSERT INTO outbox (run_id, run_seq) VALUES (?, ?)", [RUN, index + 1]);
    });
    for (const record of [{ id: pearlId.unreadable, mood: "curious" }, pearlFact(pearlId.last)])
      sql.run("INSERT INTO outbox (record) VALUES (?)", [JSON.stringify({ kind: "pearl", pearl: record, by: "ada" })]);
  });
  sql.close();
}

const pearlFact = (id: string): Pearl => ({
  id: PearlId.parse(id),
  title: "After all that",
  description: "",
  status: "open",
  priority: 2,
  type: "task",
  labels: [],
  repo: "/src",
  verify: null,
  budgetUsd: null,
  createdAtMs: 1,
  updatedAtMs: 1,
  closedAtMs: null,
});

test("what the dashboard cannot take holds up nothing that comes after it", async () => {
  await eventually(async () => expect(await dashboard.db.pearl.count({ where: { id: pearlId.last } })).toBe(1));

  expect(await dashboard.db.run.findFirst({ where: { id: RUN } })).toMatchObject({ lastSeq: 23 });
  expect(await dashboard.db.pearl.count({ where: { id: pearlId.unreadable } })).toBe(0);
});

test("a batch over the limit arrives in parts, whole and in order", async () => {
  const events = await dashboard.db.runEvent.findMany({ where: { runId: RUN }, orderBy: { seq: "asc" } });

  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 23 }, (_, index) => index + 1));
  expect(events.slice(1, 21).every(({ body }) => body.length > 2 * MIB)).toBe(true);
});

test("the event that is too large is named in the transcript, the unreadable record in the audit", async () => {
  const note = await dashboard.db.runEvent.findFirst({ where: { runId: RUN, seq: 22 } });
  const audited = await dashboard.db.auditEntry.findMany({ where: { action: "record.refused" } });

  expect(note?.body).toContain("The dashboard cannot take this event (diff.ready)");
  expect(audited.map(({ details }) => JSON.parse(details))).toEqual([
    { what: "pearl", code: "INVALID_INPUT", message: expect.stringContaining("records.0.record") },
  ]);
});

test("S3: a host that is revoked closes its tunnel", async () => {
  const tunnel = async () => (await host.client.call("hostStatus", {})).tunnel.kind;
  await host.client.call("startTunnel", {});
  expect(await tunnel()).toBe("dialling"); // no rendezvous here

  await dashboard.db.host.updateMany({ data: { revokedAtMs: Date.now() } });

  await eventually(async () => expect(await tunnel()).toBe("off"));
});

test("the host keeps both records whole, and nothing in its outbox", async () => {
  await host.kill();
  const sql = openSqlite(join(host.home, "host.db"));
  const refused = sql.all("SELECT code, length(record) > 33000000 AS huge FROM outbox_refused ORDER BY seq");
  const waiting = sql.all("SELECT record FROM outbox WHERE record IS NULL OR record NOT LIKE '%status%'");
  sql.close();

  expect(refused).toMatchObject([
    { code: "PAYLOAD_TOO_LARGE", huge: 1 },
    { code: "INVALID_INPUT", huge: 0 },
  ]);
  expect(waiting).toEqual([]);
});
