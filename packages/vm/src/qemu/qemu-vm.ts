import type { Duplex } from "node:stream";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { IsolationLevel } from "@smooth/protocol/policy";
import * as agent from "../channel/agent-client.ts";
import { muxDuplex } from "../channel/duplex.ts";
import { Hello, parseGuest } from "../channel/messages.ts";
import { Mux } from "../channel/mux.ts";
import type {
  Changes,
  ChangesOptions,
  Exec,
  ExecRequest,
  GetReport,
  GetTree,
  PutReport,
  PutTree,
  Vm,
  VmLimits,
  VmSnapshot,
  VmStats,
  VmStop,
} from "../driver.ts";
import { changes, getTree, putTree } from "../tree/trees.ts";
import { run } from "../run.ts";
import type { QemuProcess } from "./process.ts";

/** A running QEMU machine. Ends for one reason, told once in `stopped`; then its run folder is removed. */

export interface QemuVmParts {
  readonly id: string;
  readonly hostname: string;
  readonly level: IsolationLevel;
  readonly restored: boolean;
  readonly process: QemuProcess;
  readonly limits: VmLimits;
  readonly clock: Clock;
  readonly onEgress: ((connection: Duplex) => void) | undefined;
  readonly cleanUp: () => Promise<void>;
  readonly save: (vm: QemuVm, folder: string) => Promise<VmSnapshot>;
  readonly hostRssBytes: () => Promise<number>;
}

const IDLE_STEPS = 10;
const MAX_READ_BYTES = 16 * 1024 * 1024;

export class QemuVm implements Vm {
  readonly driver = "qemu";
  readonly stopped: Promise<VmStop>;
  /** Resolves when a freshly booted agent has spoken. */
  readonly hello: Promise<void>;
  readonly #parts: QemuVmParts;
  readonly #agent: agent.AgentDeps;
  readonly #goalie: Mux;
  readonly #over = new AbortController();
  #reason: VmStop | null = null;

  constructor(parts: QemuVmParts) {
    this.#parts = parts;
    const { process, clock } = parts;
    const hello = Promise.withResolvers<void>();
    const onFault = (reason: string): void => void this.#end({ kind: "faulted", reason });
    const shared = {
      onFault,
      firstId: 1 as const,
      nowMs: () => clock.now(),
      after: (ms: number, wake: () => void) => void clock.sleep(ms, this.#over.signal).then(wake, agent.ignoreAbort),
    };
    const onHello = (payload: Buffer): void => {
      if (parseGuest(Hello, payload) === null) onFault("a hello that does not parse");
      else hello.resolve();
    };
    this.hello = hello.promise;
    this.#agent = { mux: new Mux({ ...shared, port: process.agent, onHello }), clock, onFault };
    this.#goalie = new Mux({ ...shared, port: process.goalie, onOpen: (stream) => this.#egress(stream) });
    this.stopped = process.exited.then(() => this.#gone());
  }

  get id(): string {
    return this.#parts.id;
  }
  get level(): IsolationLevel {
    return this.#parts.level;
  }
  get restored(): boolean {
    return this.#parts.restored;
  }

  exec = (request: ExecRequest): Exec => agent.execOverMux(request, this.#agent);
  putTree = (request: PutTree): Promise<PutReport> => putTree(this.exec, request);
  getTree = (request: GetTree): Promise<GetReport> => getTree(this.exec, request);
  changes = (root: string, options: ChangesOptions = {}): Promise<Changes> => changes(this.exec, root, options);
  readFile = (path: string, maxBytes = MAX_READ_BYTES): Promise<Buffer> =>
    agent.readGuestFile(path, maxBytes, this.#agent);
  writeFile = (path: string, content: Uint8Array, mode = 0o644): Promise<void> =>
    agent.writeGuestFile({ path, mode, content }, this.#agent);

  async stats(): Promise<VmStats> {
    const [guest, hostRssBytes] = await Promise.all([agent.guestStats(this.#agent), this.#parts.hostRssBytes()]);
    const { kind: _, ...numbers } = guest;
    return { ...numbers, hostRssBytes };
  }

  async snapshot(folder: string): Promise<VmSnapshot> {
    const open = this.#agent.mux.streamCount;
    if (open > 0) throw new SmoothError("CONFLICT", `${open} streams of this VM are still open`);
    await agent.settle(this.#agent);
    try {
      return await this.#parts.save(this, folder);
    } finally {
      await this.wake();
    }
  }

  /** K1: a clone is not used before this succeeded. */
  wake = (): Promise<void> => agent.wake(this.#parts.hostname, this.#agent);

  /** Everything once, so that a clone finds the agent's code compiled and its pages in memory; then quiet for the snapshot. */
  async rehearse(): Promise<void> {
    await this.wake();
    await this.writeFile("/run/th/rehearsal", Buffer.from("rehearsal"));
    await this.readFile("/run/th/rehearsal");
    await this.stats();
    for (let round = 0; round < 5; round += 1) await run(this, { argv: ["cat"], stdin: "rehearsal" });
    await run(this, { argv: ["curl", "-sS", "http://rehearsal.test/"] });
    await agent.settle(this.#agent);
  }

  lastWords = (): string => this.#parts.process.lastWords();

  async stop(graceMs = 2_000): Promise<void> {
    this.#reason ??= { kind: "stopped" };
    const asked = agent.powerOff(this.#agent).catch(() => {}); // It may go before it answers.
    await Promise.race([
      this.stopped,
      asked.then(() => this.#parts.clock.sleep(graceMs, this.#over.signal)),
      this.#parts.clock.sleep(graceMs, this.#over.signal),
    ]).catch(agent.ignoreAbort);
    await this.#end({ kind: "stopped" });
  }

  kill = (): Promise<void> => this.#end({ kind: "killed" });
  [Symbol.asyncDispose] = (): Promise<void> => this.kill();

  async #end(reason: VmStop): Promise<void> {
    this.#reason ??= reason;
    await this.#parts.process.kill();
    await this.stopped;
  }

  async #gone(): Promise<VmStop> {
    this.#over.abort();
    this.#agent.mux.close();
    this.#goalie.close();
    await this.#parts.process.kill();
    await this.#parts.cleanUp();
    return this.#reason ?? { kind: "died", reason: this.lastWords().slice(-2_000) };
  }

  #egress(
    stream: Parameters<NonNullable<ConstructorParameters<typeof Mux>[0]["onOpen"]>>[0],
  ): ReturnType<NonNullable<ConstructorParameters<typeof Mux>[0]["onOpen"]>> {
    const { duplex, events, attach } = muxDuplex();
    attach(stream);
    if (this.#parts.onEgress) this.#parts.onEgress(duplex);
    else duplex.destroy(); // V4
    return events;
  }

  /** The limits count from here: called once, when the VM answers. */
  enforceLimits(): void {
    const { clock, limits } = this.#parts;
    const { signal } = this.#over;
    const wall = async (wallMs: number): Promise<void> => {
      await clock.sleep(wallMs, signal);
      await this.#end({ kind: "limit", limit: "wallMs" });
    };
    const idle = async (idleMs: number): Promise<void> => {
      for (let quiet = 0; quiet < IDLE_STEPS;) {
        await clock.sleep(idleMs / IDLE_STEPS, signal);
        quiet = this.#agent.mux.streamCount + this.#goalie.streamCount > 0 ? 0 : quiet + 1;
      }
      await this.#end({ kind: "limit", limit: "idleMs" });
    };
    if (limits.wallMs !== undefined) wall(limits.wallMs).catch(agent.ignoreAbort);
    if (limits.idleMs !== undefined) idle(limits.idleMs).catch(agent.ignoreAbort);
  }
}
