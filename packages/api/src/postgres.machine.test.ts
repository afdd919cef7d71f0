import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Db, openDb } from "@smooth/db/client";
import { migrateUp } from "@smooth/db/migrate";
import { openPostgres } from "@smooth/platform/node/postgres";
import { systemClock } from "@smooth/platform/node/system";
import type { Clock } from "@smooth/platform/ports";
import { ManualClock } from "@smooth/platform/testing";
import { RunId } from "@smooth/protocol/ids";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPostgres } from "../../../scripts/postgres.ts";
import { firstBrokenEntry } from "./audit.ts";
import { type Bus, memoryBus, sharedBus, topics } from "./bus.ts";
import { commandStream } from "./host-sync/command-stream.ts";
import { createCaller } from "./router.ts";
import { openOrg, openWorld, TestHost, type TestOrg, type World } from "./testing/world.ts";

const ROOT = join(import.meta.dirname, "../../..");
const home = mkdtempSync(join(tmpdir(), "smooth-pg-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const pidOf = (dir: string) => Number(readFileSync(join(dir, "postmaster.pid"), "utf8").split("\n")[0]);
const isAlive = (pid: number) => spawnSync("kill", ["-0", String(pid)]).status === 0;

describe("embedded Postgres", () => {
  const dir = join(home, "lifecycle");

  test("keeps its data over a restart, and is gone after it was stopped", async () => {
    let pid = 0;
    {
      await using postgres = await startPostgres(dir);
      expect(await migrateUp(postgres.url)).toHaveLength(1);
      pid = pidOf(dir);
    }
    expect(isAlive(pid)).toBe(false);

    await using again = await startPostgres(dir);
    expect(await migrateUp(again.url)).toEqual([]);
  });

  test("G1: without the password nobody gets in", async () => {
    await using postgres = await startPostgres(dir);
    const url = new URL(postgres.url);
    url.password = "guess";

    await expect(migrateUp(url.href)).rejects.toThrow(/password/);
  });

  test("G2: a server left behind by a killed parent is taken over", async () => {
    const script = `import { startPostgres } from ${JSON.stringify(join(ROOT, "scripts/postgres.ts"))};
      await startPostgres(${JSON.stringify(dir)}); process.stdout.write("up"); setInterval(() => {}, 1_000);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(parent.stdout, "data");
    const pid = pidOf(dir);
    parent.kill("SIGKILL");
    await once(parent, "exit");

    {
      await using postgres = await startPostgres(dir);
      expect([pidOf(dir), await migrateUp(postgres.url)]).toEqual([pid, []]);
    }
    expect(isAlive(pid)).toBe(false);
  });

  test("G2: a stale pid file, even with somebody else's pid in it, is no obstacle", async () => {
    writeFileSync(join(dir, "postmaster.pid"), `${process.pid}\n${dir}\n1\n5432\n\n127.0.0.1\n\nready\n`);

    await using postgres = await startPostgres(dir);

    expect(await migrateUp(postgres.url)).toEqual([]);
  });

  test("G3: a directory whose making was interrupted is made anew", async () => {
    const half = join(home, "half");
    spawnSync("mkdir", ["-p", `${half}.making/base`]);

    await using postgres = await startPostgres(half);

    expect(await migrateUp(postgres.url)).toHaveLength(1);
    expect(existsSync(`${half}.making`)).toBe(false);
  });
});

/** Prisma's own command line, with our schema engine in place of its download. */
function prismaMigrate(url: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, "node_modules/prisma/build/index.js"), "migrate", ...args],
    {
      cwd: ROOT,
      encoding: "utf8",
      env: {
        ...process.env,
        DATABASE_URL: url,
        PRISMA_SCHEMA_ENGINE_BINARY: join(ROOT, "scripts/schema-engine.mjs"),
        CHECKPOINT_DISABLE: "1",
      },
    },
  );
  return { status, text: stdout + stderr };
}

describe("Prisma's own command line", () => {
  const schema = ["--to-schema", "prisma/schema.prisma", "--exit-code"];

  test("finds that the migrations give exactly the schema", () => {
    expect(prismaMigrate("pglite:", "diff", "--from-migrations", "prisma/migrations", ...schema)).toMatchObject({
      status: 0,
    });
  });

  test("M1: agrees with our runner, and our runner with it", async () => {
    await using postgres = await startPostgres(join(home, "prisma"));
    await migrateUp(postgres.url);
    const fresh = new URL(postgres.url);
    fresh.pathname = "/fresh";

    expect(prismaMigrate(postgres.url, "status")).toMatchObject({ status: 0 });
    expect(prismaMigrate(fresh.href, "deploy")).toMatchObject({ status: 0 });
    expect(await migrateUp(fresh.href)).toEqual([]);
  });
});

describe("on real Postgres, with real concurrency", () => {
  const stack = new AsyncDisposableStack();
  let url: string;
  let db: Db;
  let world: World;
  let org: TestOrg;
  let host: TestHost;
  const runId = RunId.parse("run-00000000");

  beforeAll(async () => {
    ({ url } = stack.use(await startPostgres(join(home, "busy"))));
    await migrateUp(url);
    db = stack.adopt(await openDb(url), (open) => open.$disconnect());
    world = await openWorld(db);
    org = await openOrg(world, "One");
    host = await TestHost.pair(world, org);
    await host.startRun(runId);
  });
  afterAll(() => stack.disposeAsync());

  test("E1: the same batches, sent many times at once, are stored once", async () => {
    const records = Array.from({ length: 300 }, (_, index) => ({
      seq: index + 2,
      record: host.event(runId, { type: "note", text: `note ${index}` }),
    }));
    const parts = [records.slice(0, 100), records.slice(0, 250), records, records.slice(100, 200), records.slice(200)];

    const answers = await Promise.all([...parts, ...parts].map((part) => host.send("events", { records: part })));

    expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([]);
    expect(await (await host.send("events", { records })).json()).toEqual({ ackedSeq: 301 });
    expect(await db.runEvent.count()).toBe(301);
    expect(await db.run.findFirst()).toMatchObject({ lastSeq: 301 });
  });

  test("C1, A1: 30 commands at once are gapless, and so is the audit", async () => {
    const steerer = await org.as("steerer");

    await Promise.all(Array.from({ length: 30 }, (_, index) => steerer.runs.steer({ runId, text: `word ${index}` })));

    const rows = await db.command.findMany({ where: { hostId: host.hostId }, orderBy: { n: "asc" } });
    expect(rows.map(({ n }) => n)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    expect(await firstBrokenEntry(db, org.orgId)).toBeNull();
  });

  test("P1, T1: one code, one slug, however many ask at once", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => host.send("ticket", {})));
    const slugs = await Promise.all(answers.map(async (answer) => ((await answer.json()) as { slug: string }).slug));

    expect(new Set(slugs).size).toBe(1);
    expect(await db.slug.count()).toBe(1);
  });

  describe("two processes of the dashboard", () => {
    const alone = () => memoryBus();
    const shared = (url: string) => {
      const postgres = stack.adopt(openPostgres(url, { maxConnections: 2 }), (open) => open.close());
      return sharedBus(postgres, world.log);
    };

    /** From the tap in one process to the host that hangs on the other. */
    async function tapToHost(here: Bus, there: Bus, clock: Clock = systemClock): Promise<unknown> {
      const afterN = (await db.host.findUniqueOrThrow({ where: { id: host.hostId } })).lastN;
      const stream = commandStream({ ...world.deps, bus: here, clock }, { hostId: host.hostId, afterN }, leave.signal);
      const next = stream.next();
      const steerer = createCaller({ ...(await org.context("steerer")), bus: there });
      await systemClock.sleep(300); // the stream has looked once and waits
      await steerer.runs.steer({ runId, text: `after ${afterN}` });
      const heard = await next;
      await stream.return(undefined);
      return heard.value;
    }
    const leave = new AbortController();
    afterAll(() => leave.abort());

    test("hear each other, without a poll", async () => {
      const [here, there] = [shared(url), shared(url)];
      await tapToHost(here, there); // both listen now

      const heard = await tapToHost(here, there, new ManualClock());

      expect(heard).toMatchObject({ body: { text: expect.stringMatching(/^after \d+$/) as string } });
    });

    test("B2: without a word the poll finds it", async () => {
      expect(await tapToHost(alone(), alone())).toMatchObject({ body: { kind: "steer" } });
    });

    test("B2: a word that cannot be sent fails nobody, and is logged", async () => {
      const cut = openPostgres("postgresql://nobody@127.0.0.1:1/none");
      const bus = sharedBus(cut, world.log);

      bus.publish(topics.org("org-1"));

      await expect.poll(() => world.log.lines.filter(({ event }) => event === "bus.unheard").length).toBe(2);
      await cut.close();
    });
  });

  test("a batch of 500 records is stored whole", async () => {
    const records = Array.from({ length: 500 }, (_, index) => ({
      seq: 302 + index,
      record: host.event(runId, { type: "message.delta", partId: "p", text: "x".repeat(200) }),
    }));
    const response = await host.send("events", { records });

    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ ackedSeq: 801 });
  });
});
