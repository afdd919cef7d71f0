import { mkdirSync } from "node:fs";
import { freemem, tmpdir, availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { buildOperator } from "@smooth/agents/operator/bundle";
import { type Access, openAccess } from "@smooth/cast/access";
import { repoAllowFile } from "@smooth/cast/access/allow-file";
import { sqlAskStore } from "@smooth/cast/access/ask-store";
import { type Groove, openGroove } from "@smooth/cast/groove";
import { folderBlobs } from "@smooth/cast/groove/blobs";
import { createRedactor } from "@smooth/cast/narc/redact";
import { openScribe } from "@smooth/cast/scribe";
import { defaultPolicy } from "@smooth/cast/wonk/default-policy";
import { Policy } from "@smooth/cast/wonk/policy";
import type { Daemon, DaemonOptions } from "@smooth/cli/daemon";
import { readHostFile, removeHostFile, writeHostFile } from "@smooth/cli/host-file";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { createAuthenticate } from "@smooth/gateway/auth";
import { type Gateway, serveGateway } from "@smooth/gateway/server";
import { openSessions, sessionLink } from "@smooth/gateway/sessions";
import { openPearlStore } from "@smooth/pearls/sql-store";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import type { Log, Sql } from "@smooth/platform/ports";
import { SmoothError, toSmoothError } from "@smooth/protocol/errors";
import type { HostStatus } from "@smooth/protocol/gateway";
import type { RunId } from "@smooth/protocol/ids";
import { git } from "@smooth/vcs/git";
import { WORKSPACE } from "@smooth/vm/driver";
import { qemuDriver } from "@smooth/vm/qemu";
import { importJsx, loadWorkflow } from "@smooth/workflow/load-workflow";
import about from "../package.json" with { type: "json" };
import { seedDemo, startDemo } from "./demo.ts";
import { type HostEnv, readEnv } from "./env.ts";
import { buildLive } from "./live/build.node.ts";
import { openSandboxes } from "./pearl-run/sandboxes.ts";
import { openPearlSession } from "./pearl-run/session.ts";
import { performCommand } from "./wiring/actions.ts";
import { openAsks } from "./wiring/asks.ts";
import { openEgress } from "./wiring/egress.ts";
import { guestNodeBinary } from "./wiring/guest-node.ts";
import { makeHandlers } from "./wiring/handlers.ts";
import { openHome } from "./wiring/home.ts";
import { openModels } from "./wiring/models.ts";
import { openPairing } from "./wiring/pairing.ts";
import { RunLog } from "./wiring/run-log.ts";
import { Runs } from "./wiring/runs.ts";
import { forgetCommands, keepInSync } from "./wiring/sync.ts";
import { openTunnel, type Tunnel } from "./wiring/tunnel.ts";

/** The composition root of a host: opens every room, gives each its ports, and closes them in reverse order.
 *  D1. One host per home: a second one is refused by name.
 *  D2. What an earlier process left (VMs, runs, asks, half-sent reports) is taken up before anything new is accepted. */

export async function startDaemon({ home: homeDir, port }: DaemonOptions): Promise<Daemon> {
  await using parts = new AsyncDisposableStack();
  const env = readEnv(process.env);
  const home = await openHome(homeDir);
  refuseSecondHost(homeDir); // D1
  const sql = openSqlite(home.path("host.db"));
  parts.defer(() => sql.close());
  const stop = new AbortController();
  const stopped = Promise.withResolvers<void>();

  const runLog = new RunLog(sql, systemClock);
  const pearls = openPearlStore(sql, { clock: systemClock, ids: systemIds, record: (fact) => runLog.report(fact) });
  const demo = parts.use(await openDemo());
  const models = await openModels({ path: home.path("providers.json"), env: process.env, demoUrl: demo.modelUrl });
  if (models.demo) await seedDemo(home.dir, pearls);
  const egress = openEgress({ ...env.resolve, ...demo.resolve() });

  const secrets = (): readonly string[] => [...models.secrets(), home.ownerToken, home.deviceKey.d];
  const redact = (text: string): string => createRedactor([...secrets()]).redact(text).text;
  const log = openScribe({ sql, clock: systemClock, redact }).logFor("host");
  const access = openHostAccess({ sql, runLog, pearls, log });
  parts.defer(() => access.close());

  let report = (): void => undefined;
  const capacity = env.capacity ?? capacityOf();
  const sandboxes = openSandboxes({
    driver: openDriver(env, log),
    capacity,
    clock: systemClock,
    log,
    onChange: () => report(),
  });
  const operatorFile = home.path("cache", "operator.mjs");
  mkdirSync(home.path("cache"), { recursive: true });
  await buildOperator(operatorFile);
  const groove: Groove = openGroove({ sql, blobs: folderBlobs(home.path("blobs")), clock: systemClock });

  const store = openSqliteStore(sql);
  const engine = { store, clock: systemClock, ids: systemIds, random: systemRandom, log, owner: processOwner() };
  const { pearlWorkflow } = await importJsx<typeof import("./pearl-run/pearl-workflow.tsx")>(
    new URL("./pearl-run/pearl-workflow.tsx", import.meta.url),
  );
  const runs: Runs = parts.use(
    new Runs({
      engine,
      isAlive: isOwnerAlive,
      runLog,
      pearls,
      demo: () => models.demo,
      openSession: async ({ runId, pearlId }) => {
        await models.refresh();
        const paused = runLog.summary(runId)?.status === "paused";
        return openPearlSession(
          { runId, pearl: pearls.get(pearlId), paused },
          {
            groove,
            access,
            sandboxes,
            models,
            operatorFile,
            secrets,
            egress,
            log,
            vcs: git,
            clock: systemClock,
            policyOf: (pearl) => policyFor(pearl.id, egress.askRules),
            emit: (...bodies) => runLog.append(runId, ...bodies),
          },
        );
      },
      pearlWorkflow,
      loadWorkflow,
      onApproval: (event) =>
        void asks
          .openApproval(event)
          .catch((error: unknown) =>
            log.error("ask.open-failed", { runId: event.runId, error: toSmoothError(error).message }),
          ),
      onEnd: (runId) => access.endRun(runId, "the run ended"),
    }),
  );
  const asks = openAsks({ access, store, runLog, pearls, clock: systemClock, log, wake: () => runs.resumeAll() });

  const dashboard = await openPairing({
    home,
    url: env.dashboardUrl,
    code: env.pairingCode,
    hostName: env.hostName,
    clock: systemClock,
    ids: systemIds,
    log,
    onEnrolled: () => startOver(sql, runLog, pearls.list({ ready: false, limit: 500 })),
  });
  let connection: HostStatus["dashboard"] = dashboard
    ? { kind: "unreachable", url: dashboard.enrolment.url, sinceMs: systemClock.now() }
    : { kind: "unpaired" };
  const sessions = openSessions({
    sql,
    clock: systemClock,
    ids: systemIds,
    dashboard: () => dashboard && { key: dashboard.enrolment.dashboardKey, hostId: dashboard.enrolment.hostId },
  });
  const uiDir = home.path("cache", "live");
  await buildLive(uiDir);

  let gateway: Gateway | null = null;
  let tunnel: Tunnel | null = null;
  const startedAtMs = systemClock.now();
  const status = (): HostStatus => ({
    name: env.hostName ?? dashboard?.enrolment.org.name ?? "this host",
    version: about.version,
    demo: models.demo,
    startedAtMs,
    sandbox: sandboxes.state(),
    tunnel: tunnel?.state() ?? { kind: "off" },
    dashboard: connection,
    runsActive: runs.active,
    capacity,
  });
  report = () => runLog.report({ kind: "status", status: status() });
  const handlers = makeHandlers({
    runs,
    pearls,
    asks,
    runLog,
    status,
    tunnel: {
      state: () => need(tunnel).state(),
      start: (slug) => need(tunnel).start(slug),
      stop: () => need(tunnel).stop(),
    },
    listAsks: ({ status: wanted, runId }) =>
      wanted === "pending"
        ? access.pending().filter((ask) => runId === undefined || ask.runId === runId)
        : access.list({ runId, limit: 200 }),
    nodeOutput: (node) => nodeOutput(store, node),
    sessionLink: ({ role, ttlMs }) => {
      const { secret, expiresAtMs } = sessions.createLink({ role, ttlMs, by: "owner" });
      return { url: sessionLink(tunnel?.publicUrl() ?? need(gateway).url, secret), expiresAtMs };
    },
    shutdown: () => stopped.resolve(),
  });
  gateway = parts.use(
    await serveGateway({
      handlers,
      sessions,
      uiDir,
      log,
      authenticate: createAuthenticate({ ownerToken: home.ownerToken, ownerName: "owner", sessions }),
      clock: systemClock,
      version: about.version,
      port: port ?? env.port,
      publicOrigins: (): string[] => {
        const url = tunnel?.publicUrl() ?? null;
        return url === null ? [] : [new URL(url).origin];
      },
    }),
  );
  const watching = (): number =>
    need(gateway)
      .watching()
      .filter(({ via }) => via === "tunnel").length;
  tunnel = parts.use(
    openTunnel({
      dashboard: () => dashboard,
      deviceKey: home.deviceKey,
      originUrl: gateway.tunnelUrl,
      viewers: watching,
      clock: systemClock,
      random: systemRandom,
      log,
      onChange: () => report(),
    }),
  );
  parts.defer(() => stop.abort(new SmoothError("CANCELLED", "the host stops")));

  writeHostFile(homeDir, { url: gateway.url, token: home.ownerToken, pid: process.pid });
  parts.defer(() => removeHostFile(homeDir));
  await asks.reconcile(); // D2
  await runs.resumeAll();
  if (dashboard) {
    void keepInSync(
      {
        sql,
        runLog,
        dashboard,
        clock: systemClock,
        random: systemRandom,
        log,
        perform: (command) => performCommand({ runs, pearls, asks, tunnel: need(tunnel) }, command),
        onState: (next) => (connection = next),
      },
      stop.signal,
    );
    if (env.tunnelAtStart)
      void tunnel
        .start()
        .catch((error: unknown) => log.warn("tunnel.start-failed", { error: toSmoothError(error).message }));
  }
  void heartbeat(report, stop.signal);
  const open = parts.move();
  return { url: gateway.url, stopped: stopped.promise, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

const HEARTBEAT_MS = 20_000;

/** The dashboard sees at least this often that the host lives and how it is. */
async function heartbeat(report: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    report();
    await systemClock.sleep(HEARTBEAT_MS, signal).catch(() => undefined);
  }
}

/** D1 */
function refuseSecondHost(home: string): void {
  const other = readHostFile(home);
  if (!other || other.pid === process.pid || !isAlive(other.pid)) return;
  throw new SmoothError("CONFLICT", `a host (process ${other.pid}) already uses ${home}; stop it with \`th down\``, {
    details: { pid: other.pid },
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Started only when no provider is configured. */
async function openDemo(): Promise<
  AsyncDisposable & { modelUrl(): Promise<string>; resolve(): Readonly<Record<string, string>> }
> {
  let demo: Awaited<ReturnType<typeof startDemo>> | null = null;
  return {
    async modelUrl() {
      demo ??= await startDemo();
      return demo.modelUrl;
    },
    resolve: () => demo?.resolve ?? {},
    [Symbol.asyncDispose]: async () => demo?.[Symbol.asyncDispose](),
  };
}

function openHostAccess({
  sql,
  runLog,
  pearls,
  log,
}: {
  sql: Sql;
  runLog: RunLog;
  pearls: ReturnType<typeof openPearlStore>;
  log: Log;
}): Access {
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

function openDriver({ images }: HostEnv, log: Log) {
  const runDir = join(tmpdir(), `th-${process.getuid?.() ?? 0}`);
  return qemuDriver({
    cacheDir: images,
    runDir,
    nodeBinary: guestNodeBinary(),
    clock: systemClock,
    ids: systemIds,
    log,
  });
}

/** SANDBOX: what memory and cores allow. */
function capacityOf(): number {
  return Math.max(1, Math.floor(Math.min(freemem() / (400 * 1024 * 1024), availableParallelism() * 2)));
}

function policyFor(pearlId: string, asked: ReturnType<typeof openEgress>["askRules"]): Policy {
  const base = defaultPolicy({ repoRoot: WORKSPACE, pearlId });
  return Policy.parse({ ...base, network: { ...base.network, ask: [...base.network.ask, ...asked] } });
}

/** A new enrolment knows nothing of this host yet. */
function startOver(sql: Sql, runLog: RunLog, pearls: ReturnType<ReturnType<typeof openPearlStore>["list"]>): void {
  forgetCommands(sql);
  runLog.restartOutbox(pearls.map((pearl) => ({ kind: "pearl", pearl, by: "owner" })));
}

async function nodeOutput(
  store: ReturnType<typeof openSqliteStore>,
  { runId, nodeId, iteration }: { runId: RunId; nodeId: string; iteration: number },
): Promise<unknown> {
  const events = await store.events(runId, 0);
  const found = events.findLast(
    (event) => event.type === "node.finished" && event.nodeId === nodeId && event.iteration === iteration,
  );
  if (found?.type === "node.finished") return { output: found.output };
  throw new SmoothError("NODE_NOT_FOUND", `run ${runId} has no finished node ${nodeId} at iteration ${iteration}`, {
    details: { runId, nodeId, iteration },
  });
}

/** Handlers are made before the gateway they are served by; nobody calls them before it is there. */
function need<T>(value: T | null | undefined): T {
  if (value === null || value === undefined)
    throw new SmoothError("CONFLICT", "the host is still starting; try again in a moment");
  return value;
}
