import process from "node:process";
import type { Daemon, DaemonOptions } from "@smooth/cli/daemon";
import { readHostFile, removeHostFile, writeHostFile } from "@smooth/cli/host-file";
import { createAuthenticate } from "@smooth/gateway/auth";
import { type Gateway, serveGateway } from "@smooth/gateway/server";
import { openSessions, sessionLink, type Sessions } from "@smooth/gateway/sessions";
import { bundler } from "@smooth/platform/node/bundler";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { SmoothError, toSmoothError } from "@smooth/protocol/errors";
import type { Handlers, HostStatus } from "@smooth/protocol/gateway";
import about from "../package.json" with { type: "json" };
import { type HostEnv, readEnv } from "./env.ts";
import { buildLive } from "./live/build.node.ts";
import { performCommand } from "./wiring/actions.ts";
import type { Dashboard } from "./wiring/dashboard.ts";
import { makeHandlers } from "./wiring/handlers.ts";
import { openHome } from "./wiring/home.ts";
import { openPairing } from "./wiring/pairing.ts";
import { type HostState, openState } from "./wiring/state.ts";
import { keepInSync, lastCommand } from "./wiring/sync.ts";
import { openTunnel, type Tunnel } from "./wiring/tunnel.ts";
import { openWorkshop, type Workshop } from "./wiring/workshop.ts";

/** The composition root of a host: opens every room, gives each its ports, and closes them in reverse order.
 *  D1. One host per home: a second one is refused by name.
 *  D2. No helper process with our environment, keys included, stays behind once the host is up.
 *  D3. What an earlier process left (VMs, runs, asks, half-sent reports) is taken up before the host says it is there. */

export async function startDaemon({ home: homeDir, port }: DaemonOptions): Promise<Daemon> {
  await using parts = new AsyncDisposableStack();
  const env = readEnv(process.env);
  refuseSecondHost(homeDir); // D1
  const state = await openState(await openHome(homeDir), env, parts);
  const host = new Host(env, state);
  await host.open(port, parts);
  await bundler().stop(); // D2
  const { gateway } = host;
  writeHostFile(homeDir, { url: gateway.url, token: state.home.ownerToken, pid: process.pid });
  parts.defer(() => removeHostFile(homeDir));
  const open = parts.move();
  return { url: gateway.url, stopped: host.stopped, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** The rooms that need each other while they run. */
class Host {
  readonly stopped: Promise<void>;
  readonly #env: HostEnv;
  readonly #state: HostState;
  readonly #startedAtMs = systemClock.now();
  readonly #stop: () => void;
  #workshop: Workshop | null = null;
  #gateway: Gateway | null = null;
  #tunnel: Tunnel | null = null;
  #dashboard: Dashboard | null = null;
  #connection: HostStatus["dashboard"] = { kind: "unpaired" };

  constructor(env: HostEnv, state: HostState) {
    this.#env = env;
    this.#state = state;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.stopped = promise;
    this.#stop = resolve;
  }

  get gateway(): Gateway {
    return need(this.#gateway);
  }

  async open(port: number | null, parts: AsyncDisposableStack): Promise<void> {
    const { runLog, home, log, sql } = this.#state;
    const workshop = await openWorkshop({ state: this.#state, env: this.#env, onChange: () => this.#report() }, parts);
    this.#workshop = workshop;
    this.#dashboard = await this.#pair();
    const dashboard = (): { key: Dashboard["enrolment"]["dashboardKey"]; hostId: string } | null => {
      const enrolment = this.#dashboard?.enrolment;
      return enrolment ? { key: enrolment.dashboardKey, hostId: enrolment.hostId } : null;
    };
    const sessions = openSessions({ sql, clock: systemClock, ids: systemIds, dashboard });
    this.#gateway = parts.use(await this.#serve(sessions, port));
    this.#tunnel = parts.use(
      openTunnel({
        dashboard: () => this.#dashboard,
        deviceKey: home.deviceKey,
        originUrl: this.gateway.tunnelUrl,
        viewers: () => this.gateway.watching().filter(({ via }) => via === "tunnel").length,
        clock: systemClock,
        random: systemRandom,
        log,
        onChange: () => this.#report(),
      }),
    );
    await workshop.asks.reconcile(); // D3
    await workshop.supervisor.tick(); // what the last process left behind
    workshop.supervisor.start();
    const stop = new AbortController();
    parts.defer(() => stop.abort(new SmoothError("CANCELLED", "the host stops")));
    this.#stayInTouch(stop.signal);
    void heartbeat(() => runLog.report({ kind: "status", status: this.#status() }), stop.signal);
  }

  #pair(): Promise<Dashboard | null> {
    const { home, log, sql, runLog, pearls } = this.#state;
    return openPairing({
      home,
      url: this.#env.dashboardUrl,
      code: this.#env.pairingCode,
      hostName: this.#env.hostName,
      clock: systemClock,
      ids: systemIds,
      log,
      lastN: () => lastCommand(sql),
      onEnrolled: () => {
        runLog.restartOutbox(
          pearls.list({ ready: false, limit: 500 }).map((pearl) => ({ kind: "pearl", pearl, by: "owner" })),
        );
      },
    });
  }

  async #serve(sessions: Sessions, port: number | null): Promise<Gateway> {
    const { home, log } = this.#state;
    const uiDir = home.path("cache", "live");
    await buildLive(uiDir);
    return serveGateway({
      handlers: this.#handlers(sessions),
      sessions,
      uiDir,
      log,
      authenticate: createAuthenticate({ ownerToken: home.ownerToken, ownerName: "owner", sessions }),
      clock: systemClock,
      version: about.version,
      port: port ?? this.#env.port,
      publicOrigins: () => {
        const url = this.#tunnel?.publicUrl();
        return url ? [new URL(url).origin] : [];
      },
    });
  }

  #handlers(sessions: Sessions): Handlers {
    const { runLog, pearls, access, store } = this.#state;
    const { runs, asks, supervisor, flows } = need(this.#workshop);
    return makeHandlers({
      runs,
      asks,
      pearls,
      runLog,
      flows,
      waiting: { store, clock: systemClock, wake: async () => void (await supervisor.tick()) },
      status: () => this.#status(),
      tunnel: {
        state: () => need(this.#tunnel).state(),
        start: (slug) => need(this.#tunnel).start(slug),
        stop: () => need(this.#tunnel).stop(),
      },
      listAsks: ({ status, runId }) => {
        if (status === "all") return access.list({ runId, limit: 200 });
        return access.pending().filter((ask) => runId === undefined || ask.runId === runId);
      },
      sessionLink: ({ role, ttlMs }) => {
        const { secret, expiresAtMs } = sessions.createLink({ role, ttlMs, by: "owner" });
        return { url: sessionLink(this.#tunnel?.publicUrl() ?? this.gateway.url, secret), expiresAtMs };
      },
      newId: (prefix) => systemIds.next(prefix),
      shutdown: this.#stop,
    });
  }

  #stayInTouch(signal: AbortSignal): void {
    const { sql, runLog, pearls, log } = this.#state;
    const { runs, asks } = need(this.#workshop);
    const [dashboard, tunnel] = [this.#dashboard, need(this.#tunnel)];
    if (!dashboard) return;
    void keepInSync(
      {
        sql,
        runLog,
        dashboard,
        log,
        clock: systemClock,
        random: systemRandom,
        perform: (command) => performCommand({ runs, pearls, asks, tunnel }, command),
        onRevoked: () => void tunnel.stop(),
        onState: (state) => (this.#connection = state),
      },
      signal,
    );
    if (!this.#env.tunnelAtStart) return;
    tunnel.start().catch((error: unknown) => log.warn("tunnel.start-failed", { error: toSmoothError(error).message }));
  }

  /** Before the workshop is open there is nothing to report yet. */
  #report(): void {
    if (this.#workshop) this.#state.runLog.report({ kind: "status", status: this.#status() });
  }

  #status(): HostStatus {
    const { runs, sandboxes, capacity } = need(this.#workshop);
    return {
      name: this.#env.hostName ?? "this machine",
      version: about.version,
      demo: this.#state.models.demo,
      startedAtMs: this.#startedAtMs,
      sandbox: sandboxes.state(),
      tunnel: this.#tunnel?.state() ?? { kind: "off" },
      dashboard: this.#connection,
      runsActive: runs.active,
      capacity,
    };
  }
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

/** Rooms are opened in order; a caller that is faster is told to wait. */
function need<T>(value: T | null): T {
  if (value !== null) return value;
  throw new SmoothError("CONFLICT", "the host is still starting; try again in a moment");
}
