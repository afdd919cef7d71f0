import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createRedactor } from "@smooth/cast/narc/redact";
import { scanText } from "@smooth/cast/narc/scan";
import type { Access } from "@smooth/cast/access";
import { gateFor, type Gate } from "@smooth/cast/access/gate";
import { type Goalie, openGoalie } from "@smooth/cast/goalie";
import type { AuditLine, ModelTarget } from "@smooth/cast/goalie/door";
import { MODEL_HOST } from "@smooth/cast/goalie/door";
import type { Usage } from "@smooth/cast/goalie/usage";
import { decideTurn } from "@smooth/cast/governor";
import { detectVerify } from "@smooth/cast/governor/detect-verify";
import { readVerify } from "@smooth/cast/governor/evidence";
import type { Groove } from "@smooth/cast/groove";
import type { Policy } from "@smooth/cast/wonk/policy";
import { ROLES } from "@smooth/agents/operator/roles";
import type { Clock, Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunId } from "@smooth/protocol/ids";
import type { ChatMessage } from "@smooth/protocol/operator";
import type { Pearl } from "@smooth/protocol/pearls";
import type { RunEventBody } from "@smooth/protocol/run-events";
import type { Vcs } from "@smooth/vcs/vcs";
import { WORKSPACE } from "@smooth/vm/driver";
import { openOperatorLine, type OperatorLine } from "../wiring/operator-line.ts";
import { runTurn, type TurnStart } from "../wiring/operator-turn.ts";
import type { Models } from "../wiring/models.ts";
import type { Words } from "../wiring/steering.ts";
import { Machine, OPERATOR, OUTPUT_CHARS, runShell } from "./machine.ts";
import { openingOf } from "./opening.ts";
import type { Sandboxes } from "./sandboxes.ts";
import { toolGuard } from "./tool-guard.ts";
import type { DiffRow, EvidenceRow, MergeRow, PearlWork, Prepared, Step, TurnRow, VerdictRow } from "./work.ts";
import { NOTHING_USED, Workspace } from "./workspace.ts";

/** What a pearl's run holds in this process, and how each of its steps is done.
 *  P1. Everything that must survive is in Groove or in the engine's rows; this object can be thrown away at any moment.
 *  P2. What a person said reaches the operator once: whatever the conversation of the latest checkpoint does not hold is sent
 *      to the next one that listens.
 *  P3. The only way out of the VM is this run's own Goalie, asking this run's own gate. */

export interface SessionDeps {
  readonly groove: Groove;
  readonly access: Access;
  readonly sandboxes: Sandboxes;
  readonly models: Models;
  readonly vcs: Vcs;
  readonly clock: Clock;
  readonly log: Log;
  readonly operatorFile: string;
  readonly policyOf: (pearl: Pearl) => Policy;
  readonly secrets: () => readonly string[];
  /** What people said to this run's operators that a conversation does not hold. */
  readonly wordsMissingIn: (conversation: readonly ChatMessage[]) => readonly Words[];
  readonly egress: Pick<Parameters<typeof openGoalie>[0], "resolve" | "addressAllowed">;
  readonly emit: (...bodies: RunEventBody[]) => void;
}

export interface PearlSession extends AsyncDisposable {
  readonly work: PearlWork;
  /** Words that are already kept; an operator that is not there now gets them when it is (P2). */
  steer(words: Words): void;
  pause(): void;
  unpause(): void;
  cancel(): void;
}

const MODEL_URL = `http://${MODEL_HOST}/v1`;
const ASK_TTL_MS = 24 * 3_600_000;
const MAX_MODEL_CALLS = 60;

export function openPearlSession(
  run: { readonly runId: RunId; readonly pearl: Pearl; readonly paused: boolean },
  deps: SessionDeps,
): PearlSession {
  return new Session(run, deps);
}

class Session implements PearlSession, PearlWork {
  readonly work: PearlWork = this;
  readonly #runId: RunId;
  readonly #pearl: Pearl;
  readonly #deps: SessionDeps;
  readonly #gate: Gate;
  readonly #goalie: Goalie;
  readonly #workspace: Workspace;
  readonly #machine: Machine;
  readonly #modelToken = `placeholder-${randomBytes(18).toString("base64url")}`;
  readonly #redactor: ReturnType<typeof createRedactor>;
  #line: OperatorLine | null = null;
  #paused: boolean;
  #turnCostUsd: number | null = null;

  constructor(
    { runId, pearl, paused }: { readonly runId: RunId; readonly pearl: Pearl; readonly paused: boolean },
    deps: SessionDeps,
  ) {
    this.#runId = runId;
    this.#pearl = pearl;
    this.#paused = paused;
    this.#deps = deps;
    this.#redactor = createRedactor([...deps.secrets()]);
    this.#workspace = new Workspace(deps.groove, runId);
    this.#gate = gateFor({
      access: deps.access,
      policy: () => deps.policyOf(pearl),
      run: { runId, pearlId: pearl.id },
      redact: (text) => this.#redactor.redact(text).text,
      mode: "ask",
      askTtlMs: ASK_TTL_MS,
    });
    this.#goalie = openGoalie({
      judge: (request) => this.#gate.judge(request),
      modelRoute: {
        token: this.#modelToken,
        targets: (slot) => deps.models.targets(slot),
        onUsage: (call) => this.#used(call),
      },
      secrets: deps.secrets,
      audit: (line) => this.#audit(line),
      ...deps.egress,
    });
    this.#machine = new Machine({
      ...deps,
      workspace: this.#workspace,
      onEgress: (connection) => this.#goalie.accept(connection), // P3
    });
  }

  async prepare(_step: Step): Promise<Prepared> {
    const { vcs } = this.#deps;
    const { repo, verify } = this.#pearl;
    const { commit: base, branch } = await vcs.head(repo);
    let found = verify;
    await this.#workspace.begin(async (dir) => {
      await vcs.exportTree(repo, base, dir);
      found ??= await detectIn(dir);
    });
    if (found === null)
      this.#deps.emit({
        type: "note",
        text: "No verify command is declared or found: a person has to judge the result.",
      });
    return { base, branch, verify: found };
  }

  async turn({ iteration, signal, prepared, feedback }: Parameters<PearlWork["turn"]>[0]): Promise<TurnRow> {
    const vm = await this.#machine.get(signal);
    const earlier = this.#workspace.latest();
    this.#turnCostUsd = null;
    const conversation = openingOf({ pearl: this.#pearl, prepared, feedback, iteration, earlier });
    const exec = vm.exec({ argv: ["node", OPERATOR], cwd: WORKSPACE });
    exec.stderr.on("data", (chunk: Buffer) =>
      this.#deps.log.debug("operator.stderr", {
        runId: this.#runId,
        text: this.#redactor.redact(chunk.toString("utf8")).text,
      }),
    );
    const line = openOperatorLine({ write: (bytes) => exec.stdin.write(bytes), stdout: exec.stdout }, (reason) =>
      this.#deps.log.warn("operator.dropped", { runId: this.#runId, reason }),
    );
    const cancel = (): void => line.send({ type: "cancel" });
    signal.addEventListener("abort", cancel, { once: true });
    try {
      this.#attach(line);
      const start: TurnStart = {
        type: "start",
        role: { ...ROLES.fixer, tools: [...ROLES.fixer.tools] },
        workspace: WORKSPACE,
        modelUrl: MODEL_URL,
        modelFormats: [...this.#deps.models.formats(ROLES.fixer.slot)],
        modelToken: this.#modelToken,
        conversation,
        maxModelCalls: MAX_MODEL_CALLS,
      };
      const ports = {
        line,
        guard: toolGuard({ workspace: WORKSPACE, gate: this.#gate, redactor: this.#redactor, inspect: scanText }),
        keep: async (checkpoint: { afterCallId: string | null; conversation: readonly ChatMessage[] }) =>
          (await this.#workspace.keep(vm, { ...checkpoint, iteration, usage: NOTHING_USED })).id,
        emit: this.#deps.emit,
      };
      return await runTurn(start, ports, signal);
    } finally {
      signal.removeEventListener("abort", cancel);
      this.#line = null;
      exec.signal("SIGKILL");
    }
  }

  async verify({ iteration, signal, prepared }: Parameters<PearlWork["verify"]>[0]): Promise<EvidenceRow> {
    const vm = await this.#machine.get(signal);
    const { emit } = this.#deps;
    const { seq } = await this.#workspace.keep(vm, {
      afterCallId: null,
      iteration,
      usage: NOTHING_USED,
      conversation: this.#workspace.latest()?.conversation ?? [],
    });
    const costUsd = this.#turnCostUsd;
    const command = prepared.verify;
    if (command === null)
      return { command, exitCode: null, green: false, failing: null, output: "", costUsd, checkpoint: seq };
    const ran = await runShell(vm, command, signal);
    const output = this.#redactor.redact(ran.output).text.slice(-OUTPUT_CHARS);
    const { green, failing } = readVerify({ exitCode: ran.exitCode, output });
    emit({ type: "verify.finished", iteration, command, exitCode: ran.exitCode, green, failing, output });
    return { command, exitCode: ran.exitCode, green, failing, output, costUsd, checkpoint: seq };
  }

  judge(history: readonly EvidenceRow[]): VerdictRow {
    const last = history.at(-1);
    const unverified = last?.command === null;
    const decision = unverified
      ? ({
          kind: "stop",
          reason: "cap",
          detail: "There is no verify command, so one turn is all the evidence there can be.",
        } as const)
      : decideTurn({ history, budgetUsd: this.#pearl.budgetUsd });
    if (decision.kind === "continue") return { stop: null, detail: `turn ${decision.turn} follows`, restore: null };
    this.#deps.emit({ type: "governor.stopped", reason: decision.reason, detail: decision.detail });
    const best =
      "restoreTurn" in decision && decision.restoreTurn !== undefined ? history[decision.restoreTurn - 1] : undefined;
    return { stop: decision.reason, detail: decision.detail, restore: best?.checkpoint ?? null };
  }

  async diff({ prepared, verdict }: Parameters<PearlWork["diff"]>[0]): Promise<DiffRow> {
    const { vcs, emit } = this.#deps;
    const checkpoint = verdict.restore ?? this.#workspace.latest()?.seq ?? 1;
    const { hash, files } = await vcs.diff(
      this.#pearl.repo,
      prepared.base,
      await this.#workspace.changesUntil(checkpoint),
    );
    emit({
      type: "diff.ready",
      diffHash: hash,
      files: files.map((file) => ({ ...file, patch: this.#redactor.redact(file.patch).text })),
    });
    const sum = (key: "additions" | "deletions"): number => files.reduce((total, file) => total + file[key], 0);
    for (const { text } of this.#unheard())
      emit({ type: "note", text: `No operator read this any more, the work was over: ${text}` });
    await this.#machine.letGo();
    return { hash, files: files.length, additions: sum("additions"), deletions: sum("deletions"), checkpoint };
  }

  async merge({ prepared, diff }: Parameters<PearlWork["merge"]>[0]): Promise<MergeRow> {
    const { vcs, clock, emit } = this.#deps;
    const { repo, title, id } = this.#pearl;
    const applied = await vcs.apply({
      repo,
      base: prepared.base,
      branch: prepared.branch,
      changes: await this.#workspace.changesUntil(diff.checkpoint),
      message: `${title}\n\nPearl: ${id}\nRun: ${this.#runId}\n`,
      author: { name: "Smooth operator", email: "operator@smooth.invalid" },
      atMs: clock.now(),
    });
    if (applied.kind === "conflict")
      throw new SmoothError(
        "MERGE_CONFLICT",
        `${prepared.branch} changed the same files meanwhile: ${applied.paths.join(", ")}; run the pearl again on the new state`,
      );
    if (applied.kind === "dirty")
      throw new SmoothError(
        "MERGE_CONFLICT",
        `uncommitted work in ${repo} is in the way: ${applied.detail}; commit or stash it, then run the pearl again`,
      );
    const { commit, branch } = applied;
    emit({ type: "merged", commit, branch });
    return { commit, branch };
  }

  steer(words: Words): void {
    this.#line?.send({ type: "steer", ...words });
  }

  pause(): void {
    this.#paused = true;
    this.#line?.send({ type: "pause" });
  }

  unpause(): void {
    this.#paused = false;
    this.#line?.send({ type: "unpause" });
  }

  cancel(): void {
    this.#line?.send({ type: "cancel" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#machine.letGo();
    await this.#goalie[Symbol.asyncDispose]();
  }

  /** P2 */
  #attach(line: OperatorLine): void {
    this.#line = line;
    if (this.#paused) line.send({ type: "pause" });
    for (const words of this.#unheard()) line.send({ type: "steer", ...words });
  }

  #unheard(): readonly Words[] {
    return this.#deps.wordsMissingIn(this.#workspace.latest()?.conversation ?? []);
  }

  #audit({ host, port, method, verdict, rule }: AuditLine): void {
    if (host !== MODEL_HOST) this.#deps.emit({ type: "egress", verdict, host, port, method, rule });
  }

  #used({
    slot,
    target,
    usage,
  }: {
    readonly slot: string;
    readonly target: ModelTarget;
    readonly usage: Usage | null;
  }): void {
    const { models, emit } = this.#deps;
    const counted = usage ?? { inputTokens: 0, outputTokens: 0 };
    const costUsd = usage && models.costUsd(target, usage);
    if (costUsd !== null) this.#turnCostUsd = (this.#turnCostUsd ?? 0) + costUsd;
    emit({
      type: "usage",
      slot,
      provider: target.providerId,
      model: target.model,
      ...counted,
      costUsd,
      estimated: costUsd !== null,
    });
  }
}

async function detectIn(dir: string): Promise<string | null> {
  const text = (name: string): Promise<string | undefined> => readFile(`${dir}/${name}`, "utf8").catch(() => undefined);
  return detectVerify({
    files: await readdir(dir),
    packageJson: await text("package.json"),
    makefile: await text("Makefile"),
  });
}
