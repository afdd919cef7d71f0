import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGatewayClient, type GatewayClient } from "@smooth/gateway/client";
import type { AskDecision, PendingAsk } from "@smooth/protocol/asks";
import type { RunId } from "@smooth/protocol/ids";
import type { RunEvent } from "@smooth/protocol/run-events";
import { ROOT } from "../workspaces.ts";

/** A host as a person has it: the `th` program in its own process, with a home of its own, reached through its gateway alone.
 *  H1. `kill` is SIGKILL: the host gets no chance to tidy up. `start` on the same home is the same host again. */

const TH = join(ROOT, "apps/agent-host/src/bin/th.mjs");
const START_MS = 120_000;

export interface Work {
  readonly repo: string;
  readonly title: string;
  readonly verify: string;
}

export class RealHost implements AsyncDisposable {
  /** Holds `home`, and whatever else a test wants to lose with it. */
  readonly dir = mkdtempSync(join(tmpdir(), "smooth-host-"));
  readonly home = join(this.dir, "home");
  readonly #env: Readonly<Record<string, string>>;
  #process: ChildProcess | null = null;
  #client: GatewayClient | null = null;
  #said = "";

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
    mkdirSync(this.home);
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Everything this host's processes wrote to their terminal. */
  get said(): string {
    return this.#said;
  }

  get client(): GatewayClient {
    if (!this.#client) throw new Error("the host is not started");
    return this.#client;
  }

  async start(): Promise<void> {
    const { PATH, HOME, SMOOTH_IMAGES } = process.env;
    const child = spawn(process.execPath, [TH, "up"], {
      env: { PATH, HOME, SMOOTH_IMAGES, ...this.#env, SMOOTH_HOME: this.home, SMOOTH_PORT: "0" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    child.stderr.on("data", (text: Buffer) => (this.#said += text.toString()));
    const ended = once(child, "exit").then(() => Promise.reject(new Error(`the host ended: ${this.#said}`)));
    ended.catch(() => undefined);
    await Promise.race([once(child.stdout, "data", { signal: AbortSignal.timeout(START_MS) }), ended]);
    child.stdout.on("data", (text: Buffer) => (this.#said += text.toString()));
    const { url, token } = JSON.parse(readFileSync(join(this.home, "host.json"), "utf8")) as Record<
      "url" | "token",
      string
    >;
    this.#client = createGatewayClient({ baseUrl: url, token });
  }

  /** H1 */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async launch(work: Work): Promise<RunId> {
    const { pearl } = await this.client.call("createPearl", work);
    return (await this.client.call("launchRun", { pearlId: pearl.id })).runId;
  }

  /** All events up to and including the first that `wanted` accepts. */
  async eventsUntil(runId: RunId, wanted: (event: RunEvent) => boolean, timeoutMs = 280_000): Promise<RunEvent[]> {
    const events: RunEvent[] = [];
    const stop = new AbortController();
    const timer = setTimeout(
      () =>
        stop.abort(
          new Error(`not within ${timeoutMs} ms; last: ${tell(events.slice(-8))}\n${this.#said.slice(-2_000)}`),
        ),
      timeoutMs,
    );
    try {
      for await (const event of this.client.stream("streamRunEvents", { runId }, stop.signal)) {
        events.push(event);
        if (wanted(event)) return events;
        if (event.type === "run.status" && OVER.has(event.status)) break;
      }
      throw new Error(`the run is over without it: ${tell(events.slice(-8))}`);
    } finally {
      clearTimeout(timer);
      stop.abort();
    }
  }

  /** Decides every ask of the run as `choose` says, until the run is over. `leave`: stays open. */
  async decideAsks(runId: RunId, choose: (ask: PendingAsk) => AskDecision | "leave"): Promise<void> {
    const stop = new AbortController();
    for await (const event of this.client.stream("streamRunEvents", { runId }, stop.signal)) {
      if (event.type === "run.status" && OVER.has(event.status)) return;
      if (event.type !== "ask.opened" || event.ask.status !== "pending") continue;
      const decision = choose(event.ask);
      if (decision !== "leave")
        await this.client.call("decideAsk", { askId: event.ask.id, version: event.ask.version, decision });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export const OVER: ReadonlySet<string> = new Set(["finished", "failed", "cancelled"]);
export const APPROVE: AskDecision = { verdict: "approve", grant: "once" };

const tell = (events: readonly RunEvent[]): string =>
  events.map((event) => JSON.stringify(event).slice(0, 600)).join("\n");
