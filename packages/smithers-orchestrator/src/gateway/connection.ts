/** One WebSocket of the Gateway, from its greeting to its end.
 *  C1. Before `connect` nothing is answered, and who does not connect in time is sent away.
 *  C2. A caller hears only of runs it may read and has asked for; a run it starts or touches is asked for by that.
 *  C3. The reader sets the pace of a stream; who falls too far behind on the rest is cut off and resumes by `seq`.
 *  C4. A socket does not outlive the word of its caller: it is closed then, and nothing is done for it after.
 *  C5. What one socket may have going on is bounded: streams, requests, bytes. */
import { randomUUID } from "node:crypto";
import { readFrame, type FrameNode } from "@smooth/engine/frames";
import { OVER } from "@smooth/engine/events";
import type { Clock } from "@smooth/platform/ports";
import type { SmithersEvent } from "@smooth/workflow/smithers-events";
import type { WebSocket } from "ws";
import { countEvents, followRun } from "../hosting/follow-run.ts";
import { runOf, summaryOf } from "../hosting/run-view.ts";
import type { Caller } from "./auth.ts";
import { ConnectParams, mayCall, METHODS, RequestFrame, type RpcReply } from "./contract.ts";
import { admit, answer, errorOf, failed } from "./dispatch.ts";
import type { Handlers } from "./handlers.ts";
import type { RunHost } from "../hosting/run-host.ts";

export interface ConnectionDeps {
  readonly runs: RunHost;
  readonly handlers: Handlers;
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly protocol: number;
  /** Null: nobody we know. */
  readonly identify: (token: string | undefined) => Promise<Caller | null>;
  readonly nextStateVersion: () => number;
}

type Phase =
  | { readonly kind: "greeting" }
  /** `runIds` null: every run. */
  | { readonly kind: "open"; readonly caller: Caller; readonly runIds: Set<string> | null };

const GREETING_MS = 10_000;
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;
const MAX_STREAMS = 32;
const MAX_OPEN_REQUESTS = 64;
const POLL_MS = 250;
const CLOSE = { protocol: 1002, failed: 1011, unauthorized: 4401, tooSlow: 1013 } as const;

export class Connection {
  readonly #ws: WebSocket;
  readonly #deps: ConnectionDeps;
  readonly #gone = new AbortController();
  #phase: Phase = { kind: "greeting" };
  #seq = 0;
  #streams = 0;
  #requests = 0;

  constructor(ws: WebSocket, deps: ConnectionDeps) {
    this.#ws = ws;
    this.#deps = deps;
    ws.on("message", (data) => {
      this.#receive(String(data as Buffer)).catch(() => ws.close(CLOSE.failed, "the gateway failed"));
    });
    ws.on("error", () => {}); // a frame that is too large, for one: the socket closes, and says why
    ws.on("close", () => this.#gone.abort());
    this.#tell("connect.challenge", { nonce: randomUUID(), ts: deps.clock.now() });
    void this.#expire();
  }

  /** C2 */
  hear(event: SmithersEvent): void {
    const phase = this.#phase;
    if (phase.kind !== "open" || phase.runIds?.has(event.runId) === false) return;
    if (this.#isExpired(phase.caller)) return; // C4
    if (!mayCall(phase.caller.scopes, METHODS.getRun, ["getRun"])) return;
    if (this.#ws.bufferedAmount > MAX_BUFFERED_BYTES) return this.#ws.close(CLOSE.tooSlow, "BackpressureDisconnect"); // C3
    this.#tell(NAMES[event.type] ?? "run.event", event);
  }

  async #receive(text: string): Promise<void> {
    const frame = RequestFrame.safeParse(parsed(text));
    if (!frame.success) return this.#ws.close(CLOSE.protocol, 'a frame is { type: "req", id, method, params }');
    const request = frame.data;
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#requests >= MAX_OPEN_REQUESTS) return this.#tooMany(request.id, `${MAX_OPEN_REQUESTS} open requests`);
    this.#requests += 1;
    await this.#serve(request).finally(() => (this.#requests -= 1));
  }

  async #serve(request: RequestFrame): Promise<void> {
    if (this.#phase.kind === "greeting") return this.#connect(request);
    const { caller } = this.#phase;
    if (this.#isExpired(caller)) return this.#ws.close(CLOSE.unauthorized, "the token has expired"); // C4
    const admitted = admit(request, caller);
    if (admitted.kind === "refused") return this.#reply(failed(request.id, admitted.error));
    if (admitted.method === "streamRunEvents" || admitted.method === "streamDevTools")
      return void this.#stream(request.id, admitted.method, admitted.params as Following);
    const reply = await answer(this.#deps.handlers, request, caller);
    if (reply.ok && SUBSCRIBES.has(admitted.method)) this.#ask((reply.payload as { readonly runId: string }).runId);
    return this.#reply(reply);
  }

  /** C1 */
  async #connect({ id, method, params }: RequestFrame): Promise<void> {
    const given = ConnectParams.safeParse(params);
    if (method !== "connect" || !given.success) return this.#ws.close(CLOSE.protocol, "begin with connect");
    const { minProtocol, maxProtocol, auth, subscribe } = given.data;
    const { protocol, heartbeatMs, runs } = this.#deps;
    if (protocol < minProtocol || protocol > maxProtocol)
      return this.#ws.close(CLOSE.protocol, `this gateway speaks protocol ${protocol}`);
    const caller = await this.#deps.identify(auth?.token);
    if (!caller) {
      this.#reply(failed(id, { code: "Unauthorized", message: "no such token" }));
      return this.#ws.close(CLOSE.unauthorized, "Unauthorized");
    }
    this.#phase = { kind: "open", caller, runIds: subscribe ? new Set(subscribe) : null };
    const reads = mayCall(caller.scopes, METHODS.listRuns, ["listRuns"]);
    const snapshot = { runs: reads ? (await runs.store.runs({ limit: 50 })).map(summaryOf) : [] };
    const hello = { protocol, features: ["streaming", "runs"], policy: { heartbeatMs }, auth: caller, snapshot };
    this.#reply({ type: "res", id, ok: true, payload: hello });
    void this.#beat(heartbeatMs);
    if (caller.expiresAtMs !== undefined) void this.#closeAt(caller.expiresAtMs);
  }

  #ask(runId: string): void {
    if (this.#phase.kind === "open") this.#phase.runIds?.add(runId);
  }

  async #stream(id: string, method: "streamRunEvents" | "streamDevTools", following: Following): Promise<void> {
    const { runId, afterSeq } = following;
    if (this.#streams >= MAX_STREAMS) return this.#tooMany(id, `${MAX_STREAMS} streams`);
    const streamId = randomUUID();
    this.#streams += 1;
    try {
      const currentSeq =
        method === "streamRunEvents"
          ? (await countEvents(this.#deps.runs.store, runId)) - 1
          : (await runOf(this.#deps.runs.store, runId)).lastSeq;
      this.#reply({ type: "res", id, ok: true, payload: { streamId, runId, afterSeq, currentSeq } });
      await (method === "streamRunEvents" ? this.#events(streamId, following) : this.#frames(streamId, following));
    } catch (error) {
      this.#reply(failed(id, errorOf(error)));
    } finally {
      this.#streams -= 1;
    }
  }

  async #events(streamId: string, following: Following): Promise<void> {
    for await (const { seq, event } of followRun(this.#deps.runs, { ...following, signal: this.#gone.signal }))
      await this.#told("run.event", { streamId, seq, event }); // C3
  }

  /** Every change of the run as a whole tree: a reader that counts on deltas takes each as a new baseline. */
  async #frames(streamId: string, { runId, afterSeq }: Following): Promise<void> {
    const { runs, clock } = this.#deps;
    const ids = new Map<string, number>();
    for (let shown = afterSeq; !this.#gone.signal.aborted;) {
      const { lastSeq, status } = await runOf(runs.store, runId);
      if (lastSeq > shown) {
        const { root, seq } = await readFrame(runs.store, runId, lastSeq);
        const snapshot = { version: 1, runId, frameNo: seq, seq, root: devToolsNode(root, { ids, depth: 0 }) };
        await this.#told("devtools.event", { streamId, version: 1, kind: "snapshot", snapshot });
        shown = lastSeq;
      }
      if (OVER.has(status)) return;
      await clock.sleep(POLL_MS, this.#gone.signal).catch(() => undefined);
    }
  }

  /** C5 */
  #tooMany(id: string, what: string): void {
    this.#reply(failed(id, { code: "RateLimited", message: `a socket has at most ${what}` }));
  }

  #reply(reply: RpcReply): void {
    if (this.#ws.bufferedAmount > MAX_BUFFERED_BYTES) return this.#ws.close(CLOSE.tooSlow, "BackpressureDisconnect"); // C5
    this.#ws.send(JSON.stringify(reply));
  }

  #tell(event: string, payload: object): void {
    this.#ws.send(this.#frame(event, payload));
  }

  /** Settles when it has left this process, or the socket is gone. */
  #told(event: string, payload: object): Promise<void> {
    return new Promise((done) => this.#ws.send(this.#frame(event, payload), () => done()));
  }

  #frame(event: string, payload: object): string {
    this.#seq += 1;
    const stateVersion = this.#deps.nextStateVersion();
    return JSON.stringify({ type: "event", event, payload, seq: this.#seq, stateVersion });
  }

  async #expire(): Promise<void> {
    await this.#deps.clock.sleep(GREETING_MS, this.#gone.signal).catch(() => undefined);
    if (this.#phase.kind === "greeting") this.#ws.close(CLOSE.unauthorized, "no connect in time");
  }

  #isExpired({ expiresAtMs = Infinity }: Caller): boolean {
    return this.#deps.clock.now() >= expiresAtMs;
  }

  /** C4 */
  async #closeAt(expiresAtMs: number): Promise<void> {
    const { clock } = this.#deps;
    await clock.sleep(Math.max(0, expiresAtMs - clock.now()), this.#gone.signal).catch(() => undefined);
    this.#ws.close(CLOSE.unauthorized, "the token has expired");
  }

  async #beat(heartbeatMs: number): Promise<void> {
    while (!this.#gone.signal.aborted) {
      await this.#deps.clock.sleep(heartbeatMs, this.#gone.signal).catch(() => undefined);
      if (!this.#gone.signal.aborted) this.#tell("tick", { ts: this.#deps.clock.now() });
    }
  }
}

interface Following {
  readonly runId: string;
  readonly afterSeq: number;
}

const SUBSCRIBES: ReadonlySet<string> = new Set(["launchRun", "submitApproval", "submitSignal", "cronRun"]);

const NAMES: Partial<Record<SmithersEvent["type"], string>> = {
  NodeStarted: "node.started",
  NodeFinished: "node.finished",
  NodeFailed: "node.failed",
  NodeOutput: "task.output",
  ApprovalRequested: "approval.requested",
  ApprovalGranted: "approval.decided",
  ApprovalDenied: "approval.decided",
  RunFinished: "run.completed",
  RunFailed: "run.completed",
  RunCancelled: "run.completed",
  RunContinuedAsNew: "run.completed",
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A number stays the same for the same node as long as the stream lasts. */
function devToolsNode(node: FrameNode, at: { readonly ids: Map<string, number>; readonly depth: number }): object {
  const { ids, depth } = at;
  const id = ids.get(node.id) ?? ids.size + 1;
  ids.set(node.id, id);
  const { nodeId, iteration, state } = node;
  return {
    id,
    type: node.kind,
    name: node.label,
    props: {},
    ...(state === null ? {} : { task: { nodeId, iteration, state } }),
    children: node.children.map((child) => devToolsNode(child, { ids, depth: depth + 1 })),
    depth,
  };
}
