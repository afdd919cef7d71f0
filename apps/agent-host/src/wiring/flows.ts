import { realpathSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { gateFor } from "@smooth/cast/access/gate";
import type { Access } from "@smooth/cast/access";
import { openGoalie } from "@smooth/cast/goalie";
import { defaultPolicy } from "@smooth/cast/wonk/default-policy";
import { Policy } from "@smooth/cast/wonk/policy";
import type { EngineDeps, RunOptions } from "@smooth/engine/run";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import type { Clock, Sql } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { FlowSettings } from "@smooth/protocol/gateway-flows";
import type { RunId } from "@smooth/protocol/ids";
import { vcsRootOf } from "@smooth/vcs/files";
import { hooksAround } from "@smooth/vcs/hooks";
import { pointers } from "@smooth/vcs/pointers";
import { worktreesOf } from "@smooth/vcs/worktrees";
import type { Vm, VmSpec } from "@smooth/vm/driver";
import { openSandboxes } from "@smooth/workflow/sandboxes";
import { flowDriver } from "../flow-run/flow-driver.ts";
import { flowRules, refusalOf as whyNot } from "../flow-run/flow-rules.ts";
import { flowTools } from "../flow-run/task-tools.ts";
import type { Sandboxes } from "../pearl-run/sandboxes.ts";
import type { Egress } from "./egress.ts";
import type { RunLog } from "./run-log.ts";

/** What the engine is given for a run of a workflow file beside what every run has: its folder, its tools, its version control.
 *  W1. How a run was launched is a row before the engine starts it; a resume, a continuation and a fork work the same way.
 *  W2. The run's folder is a folder: anything else is refused before anything starts. */

const SCHEMA = `
CREATE TABLE IF NOT EXISTS flow_settings (run_id TEXT PRIMARY KEY, settings TEXT NOT NULL) STRICT;`;

export interface FlowDeps {
  readonly sql: Sql;
  readonly hostHome: string;
  readonly sandboxes: Sandboxes;
  readonly access: Access;
  readonly egress: Egress;
  readonly runLog: RunLog;
  readonly clock: Clock;
  readonly redact: (text: string) => string;
  readonly secrets: () => readonly string[];
}

export type FlowOptions = Pick<EngineDeps, "vcs" | "vcsRoot" | "worktrees" | "sandboxes"> &
  Pick<RunOptions, "around" | "maxConcurrency">;

export class Flows {
  readonly #deps: FlowDeps;

  constructor(deps: FlowDeps) {
    this.#deps = deps;
    deps.sql.exec(SCHEMA);
  }

  /** W1. Throws INVALID_INPUT. */
  keep(runId: string, settings: FlowSettings): void {
    if (settings.root !== undefined && !isFolder(settings.root))
      throw new SmoothError("INVALID_INPUT", `root ${settings.root} is not a folder`); // W2
    this.#deps.sql.run("INSERT INTO flow_settings (run_id, settings) VALUES (?, ?) ON CONFLICT DO NOTHING", [
      runId,
      JSON.stringify(settings),
    ]);
  }

  /** W1 */
  inherit(runId: string, from: string): void {
    this.keep(runId, this.settings(from));
  }

  settings(runId: string): FlowSettings {
    const row = this.#deps.sql.get("SELECT settings FROM flow_settings WHERE run_id = ?", [runId]);
    return row ? FlowSettings.parse(JSON.parse(String(row["settings"]))) : {};
  }

  /** Folders that only this run works in. */
  async worktreesOf(runId: string, file: string): Promise<readonly string[]> {
    const vcsRoot = this.#vcsRoot(runId, file);
    return vcsRoot === null ? [] : await worktreesOf(vcsRoot, this.#deps.clock).of(runId);
  }

  /** Its worktrees go, with what was not committed in them, and its names for files; their branches stay. */
  async forget(runId: string, file: string): Promise<void> {
    const vcsRoot = this.#vcsRoot(runId, file);
    if (vcsRoot !== null) {
      await worktreesOf(vcsRoot, this.#deps.clock).prune(runId);
      await pointers.forget(vcsRoot, runId);
    }
    this.#deps.sql.run("DELETE FROM flow_settings WHERE run_id = ?", [runId]);
  }

  /** Null: not under version control, or gone. */
  #vcsRoot(runId: string, file: string): string | null {
    const root = this.settings(runId).root ?? dirname(resolve(file));
    return isFolder(root) ? vcsRootOf(root) : null;
  }

  /** `file`: the workflow's. */
  rootOf(runId: string, file: string): string {
    return realpathSync(this.settings(runId).root ?? dirname(resolve(file)));
  }

  optionsFor(runId: RunId, workflow: WorkflowDefinition): FlowOptions {
    const { maxConcurrency } = this.settings(runId);
    const rootDir = this.rootOf(runId, workflow.file ?? "");
    const vcsRoot = vcsRootOf(rootDir);
    return {
      vcs: pointers,
      vcsRoot,
      worktrees: vcsRoot === null ? null : worktreesOf(vcsRoot, this.#deps.clock),
      ...this.#guarded(runId, workflow, rootDir),
      ...(maxConcurrency !== undefined && { maxConcurrency }),
    };
  }

  /** Its tools, and its <Sandbox> elements: both ask the same judge. */
  #guarded(runId: RunId, workflow: WorkflowDefinition, rootDir: string): Pick<FlowOptions, "around" | "sandboxes"> {
    const { access, egress, hostHome, redact, clock } = this.#deps;
    const { allowNetwork = false, maxOutputBytes, toolTimeoutMs } = this.settings(runId);
    const base = defaultPolicy({ repoRoot: "" }); // the workspace holds them in its root
    const policy = Policy.parse({
      ...base,
      network: { ...base.network, ask: [...base.network.ask, ...egress.askRules] },
    });
    const gate = gateFor({
      access,
      policy: () => policy,
      run: { runId, pearlId: null },
      redact,
      mode: "ask",
      askTtlMs: ASK_TTL_MS,
    });
    const rules = flowRules({ policy, hostHome, workflow, isHook: hooksAround(rootDir) });
    const judge = allowNetwork ? gate.judge : null;
    const around = flowTools({
      rootDir,
      maxOutputBytes,
      toolTimeoutMs,
      redact,
      gate,
      rules,
      acquire: (signal) => this.#acquire({ runId, judge }, signal),
    });
    const sandboxes = openSandboxes({
      rootDir,
      clock,
      drivers: { microvm: flowDriver((spec, signal) => this.#start(runId, spec, signal), this.#deps.sandboxes) },
      mayRead: (path) => rules.read(path).kind === "allow",
      // Who looked at the patch has agreed to what else would be asked.
      writeRefusal(path, { reviewed }) {
        const verdict = rules.write(path);
        return verdict.kind === "ask" && reviewed ? null : whyNot(verdict);
      },
      ...(judge && { egress: () => this.#goalie(runId, judge) }),
    });
    return { around, sandboxes };
  }

  /** Without a judge there is no way out of the VM at all. */
  async #acquire(
    { runId, judge }: { readonly runId: RunId; readonly judge: Judge | null },
    signal: AbortSignal,
  ): Promise<Vm> {
    const goalie = judge && this.#goalie(runId, judge);
    const vm = await this.#start(runId, goalie ? { onEgress: (connection) => goalie.accept(connection) } : {}, signal);
    void vm.stopped.then(() => goalie?.[Symbol.asyncDispose]());
    return vm;
  }

  async #start(runId: RunId, spec: VmSpec, signal: AbortSignal): Promise<Vm> {
    const { sandboxes, clock, runLog } = this.#deps;
    const fromMs = clock.now();
    const vm = await sandboxes.acquire(spec, signal);
    const { driver, level, restored } = vm;
    runLog.append(runId, { type: "vm.started", driver, level, restored, tookMs: clock.now() - fromMs });
    void vm.stopped.then((why) => runLog.append(runId, { type: "vm.stopped", reason: why.kind }));
    return vm;
  }

  #goalie(runId: RunId, judge: Judge): Goalie {
    const { egress, secrets } = this.#deps;
    return openGoalie({ judge, secrets, ...egress, audit: (line) => this.#audit(runId, line) });
  }

  #audit(runId: RunId, { host, port, method, verdict, rule }: AuditLine): void {
    this.#deps.runLog.append(runId, { type: "egress", verdict, host, port, method, rule });
  }
}

type Judge = Parameters<typeof openGoalie>[0]["judge"];
type Goalie = ReturnType<typeof openGoalie>;
type AuditLine = Parameters<Parameters<typeof openGoalie>[0]["audit"]>[0];
const ASK_TTL_MS = 24 * 3_600_000;

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
