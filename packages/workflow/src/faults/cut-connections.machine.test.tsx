/** @jsxImportSource @smooth/workflow */
/** ENGINE §10: connections to Postgres are cut at any moment, also in the middle of a commit. The process lives on, and so do its runs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findResumable } from "@smooth/engine/control";
import { lastResult, resumeRun, startRun, type RunHandle } from "@smooth/engine/run";
import { openPostgresStore } from "@smooth/engine/store/postgres";
import { openPostgres } from "@smooth/platform/node/postgres";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { memoryLog } from "@smooth/platform/testing";
import { afterAll, expect, test } from "vitest";
import { startPostgres } from "../../../../scripts/postgres.ts";
import { Loop, outputs, Parallel, smithers, Task, Workflow } from "../testing/rules.ts";
import { OWNER } from "../testing/run-in-memory.ts";

const home = mkdtempSync(join(tmpdir(), "smooth-cut-"));
afterAll(() => rmSync(home, { recursive: true }));

const CUTS = 20;
const PASSES = 12;
const workflow = smithers(() => (
  <Workflow name="passes">
    <Loop id="l" until={false} maxIterations={PASSES} continueAsNewEvery={4}>
      <Parallel>
        {["a", "b"].map((id) => (
          <Task key={id} id={id} output={outputs.n}>
            {async ({ iteration }) => (await systemClock.sleep(1), { n: iteration })}
          </Task>
        ))}
      </Parallel>
    </Loop>
  </Workflow>
));
const CUT = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY random() LIMIT 1`;

test("P3, P4: runs whose connections are cut, in commits, claims and successors, go on in the same process and repeat no recorded step", async () => {
  await using server = await startPostgres(join(home, "data"));
  const [pg, admin] = [
    openPostgres(server.url, { maxConnections: 3 }),
    openPostgres(server.url, { maxConnections: 1 }),
  ];
  const store = await openPostgresStore(pg);
  const log = memoryLog();
  const deps = { store, clock: systemClock, ids: systemIds, random: systemRandom, log, owner: OWNER, workflow };
  const isAlive = (): boolean => true; // this process never dies
  const follow = (handle: Promise<RunHandle>): void => void handle.then(lastResult).catch(() => undefined);
  for (const runId of ["r1", "r2"]) follow(Promise.resolve(await startRun({ ...deps, input: {}, runId })));

  let cuts = 0;
  for (;;) {
    await systemClock.sleep(50);
    if (cuts < CUTS) cuts += (await admin.query(CUT)).length;
    const runs = await store.runs({}).catch(() => []);
    if (cuts >= CUTS && runs.length > 0 && runs.every(({ status }) => /finished|continued/.test(status))) break;
    const check = { isAlive, host: OWNER.host, nowMs: systemClock.now() };
    const free = await findResumable(store, check).catch(() => []);
    for (const { run } of free) follow(resumeRun({ ...deps, runId: run.runId, isAlive }));
  }

  // By a connection that nobody cut: of the pool's own, one may be dead and not know it yet.
  const after = await openPostgresStore(admin);
  const logs = await Promise.all((await after.runs({})).map(({ runId }) => after.events(runId, 0)));
  const finished = logs.map((events) =>
    events.flatMap((event) => (event.type === "node.finished" ? [`${event.nodeId}#${event.iteration}`] : [])),
  );
  for (const ended of finished) expect(new Set(ended).size).toBe(ended.length);
  expect(logs.flat().filter(({ type }) => type === "node.started").length).toBeGreaterThanOrEqual(2 * PASSES * 2);
  await pg.close();
  await admin.close();
});
