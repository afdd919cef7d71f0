import { serveTestGateway, noteEvent, RUN_ID, type TestGateway } from "@smooth/gateway/testing";
import { openPearlStore } from "@smooth/pearls/sql-store";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import { Ask } from "@smooth/protocol/asks";
import { SmoothError } from "@smooth/protocol/errors";
import type { Handlers, Output, RunSummary } from "@smooth/protocol/gateway";
import type { WaitReason } from "@smooth/protocol/gateway-flows";
import type { RunId } from "@smooth/protocol/ids";
import type { RunEvent, RunEventBody } from "@smooth/protocol/run-events";

/** A host behind a real gateway, with real pearls, whose runs are told in advance. Keeps what it was asked to do. */
export interface FakeHost extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly did: string[];
  readonly asks: Ask[];
  readonly runs: RunSummary[];
  /** Why its runs do not go on. */
  readonly reasons: WaitReason[];
  /** What its runs came to. */
  output: Output<"getRunOutput">;
  /** What a run tells when it is followed. */
  script: readonly RunEventBody[];
  /** Then the stream stays open. */
  endless: boolean;
  /** Settles when `shutdown` was called. */
  readonly stopped: Promise<void>;
}

export const runSummary = (rest: Partial<RunSummary> = {}): RunSummary => ({
  runId: RUN_ID,
  title: "Fix the login",
  workflow: "operator",
  pearlId: null,
  status: "running",
  reason: null,
  demo: true,
  pendingAsks: 0,
  costUsd: null,
  startedAtMs: 1,
  updatedAtMs: 1,
  lastSeq: 0,
  ...rest,
});

export const networkAsk = (id: string, pearlId: string, host: string): Ask =>
  Ask.parse({
    id,
    version: 3,
    runId: RUN_ID,
    pearlId,
    subject: { kind: "network", host, port: 443, method: "CONNECT" },
    question: `May it reach ${host}?`,
    reason: "no rule",
    risk: "medium",
    actionHash: "00",
    openedAtMs: 1,
    expiresAtMs: null,
    status: "pending",
  });

export const approvalAsk = (id: string, nodeId: string): Ask =>
  Ask.parse({
    ...networkAsk(id, "th-000001", "x"),
    subject: { kind: "approval", nodeId, iteration: 2, title: nodeId },
  });

export async function serveFakeHost(): Promise<FakeHost> {
  const sql = openSqlite(":memory:");
  const stopped = Promise.withResolvers<void>();
  const host = {
    did: [] as string[],
    asks: [] as Ask[],
    runs: [] as RunSummary[],
    reasons: [] as WaitReason[],
    output: { output: { said: "done" }, recorded: [] } as Output<"getRunOutput">,
    script: [] as readonly RunEventBody[],
    endless: false,
  };
  const gateway = await serveTestGateway({
    ...pearlHandlers(openPearlStore(sql, { clock: systemClock, ids: systemIds })),
    ...runHandlers(host),
    ...hostHandlers(host, stopped.resolve),
  });
  return Object.assign(host, {
    gateway,
    stopped: stopped.promise,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      sql.close();
    },
  });
}

type Told = Pick<FakeHost, "did" | "asks" | "runs" | "reasons" | "output" | "script" | "endless">;

function pearlHandlers(store: ReturnType<typeof openPearlStore>): Partial<Handlers> {
  return {
    createPearl: async (input, { name }) => ({ pearl: store.create(input, name) }),
    listPearls: async (filter) => ({ pearls: store.list(filter) }),
    getPearl: async ({ pearlId }) => ({ ...store.detail(pearlId), runs: [] }),
    closePearl: async ({ pearlId, reason }, { name }) => ({
      pearl: store.change(pearlId, { status: "closed" }, { by: name, note: reason }),
    }),
    commentPearl: async ({ pearlId, body }, { name }) => ({ comment: store.comment(pearlId, { by: name, body }) }),
    addDependency: async (dependency) => {
      store.link(dependency);
      return { ok: true };
    },
  };
}

function runHandlers(host: Told): Partial<Handlers> {
  const find = (runId: RunId): RunSummary => {
    const run = host.runs.find((other) => other.runId === runId);
    if (run) return { ...run, lastSeq: host.script.length };
    throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`);
  };
  const note =
    (verb: string) =>
    async ({ runId, ...rest }: { runId: RunId; text?: string }) => {
      find(runId);
      host.did.push([verb, runId, rest.text].filter(Boolean).join(" "));
      return { ok: true as const };
    };
  return {
    launchRun: async ({ pearlId, workflow, input, runId }) => {
      host.did.push(`launch ${pearlId ?? workflow} ${JSON.stringify(input)}`);
      return { runId: runId ?? RUN_ID };
    },
    resumeRun: async ({ runId, acceptWorkflowChange }) => {
      host.did.push(`resumeRun ${runId}${acceptWorkflowChange ? " accepting changes" : ""}`);
      return { runId, status: "running" };
    },
    explainRun: async ({ runId }) => ({ runId: find(runId).runId, status: "waiting-event", reasons: host.reasons }),
    signalRun: async ({ runId, name, payload, correlationId = "" }) => {
      host.did.push(`signal ${runId} ${name} ${JSON.stringify(payload)} ${correlationId}`.trim());
      const waitedFor = host.reasons.length === 0 ? [] : [{ name: "paid", correlationId: "order-1" }];
      return { ok: true, waiters: name === "paid" && correlationId === "order-1" ? ["wait"] : [], waitedFor };
    },
    answerQuestion: async ({ requestId, value }) => {
      host.did.push(`answer ${requestId} ${JSON.stringify(value)}`);
      return { ok: true };
    },
    pauseRun: note("pause"),
    unpauseRun: note("unpause"),
    cancelRun: note("cancel"),
    steerRun: note("steer"),
    getRun: async ({ runId }) => find(runId),
    listRuns: async ({ pearlId, status }) => ({
      runs: host.runs.filter((run) => (!pearlId || run.pearlId === pearlId) && (!status || run.status === status)),
    }),
    getNodeDiff: async () => ({ diffHash: "00", files: [], omitted: [] }),
    async *streamRunEvents({ afterSeq }, _caller, signal) {
      for (const event of told(host.script).slice(afterSeq)) yield event;
      if (host.endless) await new Promise((done) => signal.addEventListener("abort", done, { once: true }));
    },
    listQuestions: async () => ({ questions: [] }),
    getRunOutput: async () => host.output,
    listAsks: async ({ status, runId }) => ({
      asks: host.asks.filter(
        (ask) => (status === "all" || ask.status === "pending") && (!runId || ask.runId === runId),
      ),
    }),
    decideAsk: async ({ askId, version, decision }, { name }) => {
      const ask = host.asks.find(({ id }) => id === askId);
      if (ask?.status !== "pending") throw new SmoothError("ALREADY_DECIDED", `bob decided ${askId} first`);
      const yes = decision.verdict === "approve" ? [decision.grant, decision.selected, decision.ranked] : [];
      host.did.push([decision.verdict, askId, `v${version}`, ...yes.filter(Boolean)].join(" "));
      return { ask: { ...ask, status: "decided", decision, decidedBy: name, decidedAtMs: 2 } };
    },
    submitApproval: async ({ nodeId, iteration, approved }) => {
      host.did.push(`${approved ? "approve" : "deny"} node ${nodeId}#${iteration}`);
      return { ok: true };
    },
  };
}

const told = (script: readonly RunEventBody[]): RunEvent[] =>
  script.map((body, index) => ({ ...noteEvent(index + 1), ...body }) as RunEvent);

function hostHandlers(host: Told, stop: () => void): Partial<Handlers> {
  return {
    hostStatus: async () => ({
      name: "laptop",
      version: "0.1.0",
      demo: true,
      startedAtMs: 1,
      sandbox: { kind: "ready", driver: "qemu", level: "emulated-vm" },
      tunnel: { kind: "off" },
      dashboard: { kind: "unpaired" },
      runsActive: 1,
      capacity: 2,
    }),
    startTunnel: async ({ slug = "scratch-1" }) => ({
      kind: "serving",
      slug,
      url: `https://${slug}.th.smoo.ai`,
      sinceMs: 1,
      viewers: 0,
    }),
    createSessionLink: async ({ role }) => ({ url: `http://127.0.0.1/_session#link=${role}`, expiresAtMs: 1 }),
    shutdown: async () => {
      host.did.push("shutdown");
      stop();
      return { ok: true };
    },
  };
}
