import type { Duplex } from "node:stream";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { IsolationLevel } from "@smooth/protocol/policy";
import * as agent from "./channel/agent-client.ts";
import type { Guest } from "./channel/agent-client.ts";
import { muxDuplex } from "./channel/duplex.ts";
import { Hello, parseGuest } from "./channel/messages.ts";
import { Mux } from "./channel/mux.ts";
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
} from "./driver.ts";
import { changes, getTree, putTree } from "./tree/trees.ts";

/** A guest that our agent answers for, whatever holds it: a machine, a namespace, a process. Ends for one reason, told once in
 *  `stopped`; then `cleanUp` removes what it left. */

/** What runs the agent, and the two lines to it. */
export interface GuestProcess {
  readonly agent: Duplex;
  readonly goalie: Duplex;
  /** Never rejects. */
  readonly exited: Promise<void>;
  /** The last of what it said outside its lines. */
  lastWords(): string;
  kill(): Promise<void>;
}

export interface AgentVmParts {
  readonly id: string;
  readonly driver: string;
  readonly level: IsolationLevel;
  readonly restored: boolean;
  readonly guest: Guest;
  readonly process: GuestProcess;
  readonly limits: VmLimits;
  readonly clock: Clock;
  readonly onEgress: ((connection: Duplex) => void) | undefined;
  readonly cleanUp: () => Promise<void>;
  /** What `snapshot` does once no stream is open. */
  readonly save: (vm: AgentVm, folder: string) => Promise<VmSnapshot>;
  readonly hostRssBytes: () => Promise<number>;
}

const IDLE_STEPS = 10;
const MAX_READ_BYTES = 16 * 1024 * 1024;

export class AgentVm implements Vm {
  readonly stopped: Promise<VmStop>;
  /** Resolves when a fresh agent has spoken. */
  readonly hello: Promise<void>;
  /** The line to the agent, for what only one driver asks of it. */
  readonly line: agent.AgentDeps;
  readonly #parts: AgentVmParts;
  readonly #goalie: Mux;
  readonly #over = new AbortController();
  #reason: VmStop | null = null;

  constructor(parts: AgentVmParts) {
    this.#parts = parts;
    const { process, clock, guest } = parts;
    const hello = Promise.withResolvers<void>();
    const onFault = (reason: string): void => void this.#end({ kind: "faulted", reason });
    const shared = {
      onFault,
      peer: "guest" as const,
      nowMs: () => clock.now(),
      after: (ms: number, wake: () => void) => void clock.sleep(ms, this.#over.signal).then(wake, agent.ignoreAbort),
    };
    const onHello = (payload: Buffer): void => {
      if (parseGuest(Hello, payload) === null) onFault("a hello that does not parse");
      else hello.resolve();
    };
    this.hello = hello.promise;
    this.line = { mux: new Mux({ ...shared, port: process.agent, onHello }), clock, onFault, guest };
    this.#goalie = new Mux({ ...shared, port: process.goalie, onOpen: (stream) => this.#egress(stream) });
    this.stopped = process.exited.then(() => this.#gone());
  }

  get id(): string {
    return this.#parts.id;
  }
  get driver(): string {
    return this.#parts.driver;
  }
  get workspace(): string {
    return this.#parts.guest.workspace;
  }
  get level(): IsolationLevel {
    return this.#parts.level;
  }
  get restored(): boolean {
    return this.#parts.restored;
  }

  exec = (request: ExecRequest): Exec => agent.execOverMux(request, this.line);
  putTree = (request: PutTree): Promise<PutReport> => putTree(this.exec, request);
  getTree = (request: GetTree): Promise<GetReport> => getTree(this.exec, request);
  changes = (root: string, options: ChangesOptions = {}): Promise<Changes> => changes(this.exec, root, options);
  readFile = (path: string, maxBytes = MAX_READ_BYTES): Promise<Buffer> =>
    agent.readGuestFile(path, maxBytes, this.line);
  writeFile = (path: string, content: Uint8Array, mode = 0o644): Promise<void> =>
    agent.writeGuestFile({ path, mode, content }, this.line);

  async stats(): Promise<VmStats> {
    const [guest, hostRssBytes] = await Promise.all([agent.guestStats(this.line), this.#parts.hostRssBytes()]);
    const { kind: _, ...numbers } = guest;
    return { ...numbers, hostRssBytes };
  }

  async snapshot(folder: string): Promise<VmSnapshot> {
    const open = this.line.mux.streamCount;
    if (open > 0) throw new SmoothError("CONFLICT", `${open} streams of this VM are still open`);
    return this.#parts.save(this, folder);
  }

  lastWords = (): string => this.#parts.process.lastWords();

  async stop(graceMs = 2_000): Promise<void> {
    this.#reason ??= { kind: "stopped" };
    const asked = agent.powerOff(this.line).catch(() => {}); // It may go before it answers.
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
    this.line.mux.close();
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
        quiet = this.line.mux.streamCount + this.#goalie.streamCount > 0 ? 0 : quiet + 1;
      }
      await this.#end({ kind: "limit", limit: "idleMs" });
    };
    if (limits.wallMs !== undefined) wall(limits.wallMs).catch(agent.ignoreAbort);
    if (limits.idleMs !== undefined) idle(limits.idleMs).catch(agent.ignoreAbort);
  }
}
