import process from "node:process";
import { type Access, openAccess } from "@smooth/cast/access";
import { repoAllowFile } from "@smooth/cast/access/allow-file";
import { sqlAskStore } from "@smooth/cast/access/ask-store";
import { type Groove, openGroove } from "@smooth/cast/groove";
import { createRedactor } from "@smooth/cast/narc/redact";
import { openScribe } from "@smooth/cast/scribe";
import type { RunStore } from "@smooth/engine/store";
import type { MemoryStore } from "@smooth/engine/memory";
import { sqliteMemoryBackend } from "@smooth/engine/memory/sqlite";
import { memoryStore } from "@smooth/engine/memory/store";
import { withBlobs } from "@smooth/engine/blobs";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import type { PearlStore } from "@smooth/pearls/store";
import { openPearlStore } from "@smooth/pearls/sql-store";
import { folderBlobs } from "@smooth/platform/node/blobs";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import type { Blobs, Log, Sql } from "@smooth/platform/ports";
import { databaseProblem } from "@smooth/workflow/database";
import { type Demo, seedDemo, startDemo } from "../demo.ts";
import type { HostEnv } from "../env.ts";
import { type Egress, openEgress } from "./egress.ts";
import type { Home } from "./home.ts";
import { type Models, openModels } from "./models.ts";
import { RunLog } from "./run-log.ts";

/** What a host knows and keeps: one SQLite file, the blobs beside it, and who its models are.
 *  S1. Pearls, run log and outbox share one database, so a fact and its report are one transaction.
 *  S2. Whatever is logged passes the redactor, which knows every secret of the house. */

export interface HostState {
  readonly home: Home;
  readonly sql: Sql;
  readonly runLog: RunLog;
  readonly pearls: PearlStore;
  readonly access: Access;
  readonly groove: Groove;
  readonly store: RunStore;
  /** What rows of the store refer to. */
  readonly payloads: Blobs;
  /** What workflows remember across runs. */
  readonly memory: MemoryStore;
  readonly models: Models;
  readonly egress: Egress;
  readonly log: Log;
  /** Bytes that may neither be logged nor leave. */
  secrets(): readonly string[];
}

/** `parts` closes what is opened here. Throws CONFIG_INVALID when the database cannot be used. */
export async function openState(home: Home, env: HostEnv, parts: AsyncDisposableStack): Promise<HostState> {
  const file = home.path("host.db");
  try {
    const sql = parts.adopt(openSqlite(file), (one) => one.close());
    return await stateOn(sql, { home, env }, parts);
  } catch (error) {
    throw databaseProblem(file, error);
  }
}

async function stateOn(
  sql: Sql,
  { home, env }: { readonly home: Home; readonly env: HostEnv },
  parts: AsyncDisposableStack,
): Promise<HostState> {
  const runLog = new RunLog(sql, systemClock);
  const pearls = openPearlStore(sql, { clock: systemClock, ids: systemIds, record: (fact) => runLog.report(fact) }); // S1
  const { models, demo } = await modelsOrDemo(home, parts);
  if (demo) await seedDemo(home.dir, pearls);
  const secrets = (): readonly string[] => [...models.secrets(), home.ownerToken, home.deviceKey.d];
  const redact = (text: string): string => createRedactor([...secrets()]).redact(text).text; // S2
  const log = openScribe({ sql, clock: systemClock, redact }).logFor("host");
  const payloads = folderBlobs(home.path("payloads"));
  const access = openHostAccess({ sql, runLog, pearls, log });
  parts.defer(() => access.close());
  return {
    home,
    sql,
    runLog,
    pearls,
    access,
    models,
    log,
    secrets,
    payloads,
    store: withBlobs(openSqliteStore(sql), payloads),
    memory: memoryStore(sqliteMemoryBackend(sql), { clock: systemClock, log }),
    groove: openGroove({ sql, blobs: folderBlobs(home.path("blobs")), clock: systemClock }),
    egress: openEgress({ ...env.resolve, ...demo?.resolve }),
  };
}

/** The DEMO starts only when no provider is configured. */
async function modelsOrDemo(home: Home, parts: AsyncDisposableStack): Promise<{ models: Models; demo: Demo | null }> {
  let demo: Demo | null = null;
  const demoUrl = async (): Promise<string> => {
    demo = parts.use(await startDemo());
    return demo.modelUrl;
  };
  const models = await openModels({ path: home.path("providers.json"), env: process.env, demoUrl });
  return { models, demo };
}

function openHostAccess({ sql, runLog, pearls, log }: Pick<HostState, "sql" | "runLog" | "pearls" | "log">): Access {
  return openAccess({
    store: sqlAskStore(sql),
    clock: systemClock,
    ids: systemIds,
    log,
    allowFileOf: (runId) => {
      const pearlId = runLog.summary(runId)?.pearlId;
      return pearlId ? repoAllowFile(pearls.get(pearlId).repo) : null;
    },
    onChange: (ask) => runLog.append(ask.runId, { type: ask.status === "pending" ? "ask.opened" : "ask.closed", ask }),
  });
}
