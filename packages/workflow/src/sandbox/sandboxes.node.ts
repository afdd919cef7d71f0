/** The engine's `Sandboxes` on the drivers of this host: an empty sandbox, a child put in, a bundle taken out, and nothing left.
 *  N1. `allowNetwork` without a guarded way out on this host is refused; no sandbox ever has an unguarded one.
 *  N2. Whatever happens — a result, a failure, an abort — the sandbox is killed before `run` settles.
 *  N3. Only what the author names gets in: the folder without `LEFT_OUT`, read-only volumes, `env`, and the child itself.
 *  N4. What git runs by itself comes out of no sandbox, whoever agrees to it. */
import type { Duplex } from "node:stream";
import { resolve } from "node:path";
import { hash } from "node:crypto";
import type { BundleFile, SandboxBundle, SandboxCall, Sandboxes, SandboxRuntime } from "@smooth/engine/sandboxes";
import { rowFromJson } from "@smooth/engine/table";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { IsolationLevel } from "@smooth/protocol/policy";
import { hooksAround } from "@smooth/vcs/hooks";
import type { TreeStamp, Vm, VmDriver, VmSpec } from "@smooth/vm/driver";
import { applyFiles } from "./apply.node.ts";
import { choose, type Candidate } from "./choose.ts";
import { collect } from "./collect.node.ts";
import { enclose } from "./enclose.node.ts";
import { execute } from "./execute.node.ts";
import { answerOf } from "./manifest.ts";
import { placesIn, type SandboxRequest } from "./request.ts";
import { Slots } from "./slots.ts";
import { putVolumes } from "./volumes.node.ts";
import { type HostStamp, LEFT_OUT, stampsOf } from "./workspace.node.ts";

export interface SandboxesOptions {
  /** Copied into each sandbox, and changed by what is accepted of it; a step in a <Worktree> uses that instead. */
  readonly rootDir: string;
  readonly drivers: Partial<Readonly<Record<SandboxRuntime, VmDriver>>>;
  readonly clock: Clock;
  /** Nothing weaker is used; default `emulated-vm`. */
  readonly minIsolation?: IsolationLevel | undefined;
  /** At once; default 10. */
  readonly maxConcurrent?: number | undefined;
  /** Opens the guarded way out of one sandbox with `allowNetwork`; without it there is none. */
  readonly egress?: ((from: EgressFrom) => EgressDoor) | undefined;
  /** Whether a file of the host may be seen in a sandbox; default: yes. */
  readonly mayRead?: ((path: string) => boolean) | undefined;
  /** Why a file of the host may not be changed, whoever agrees to it; default: all may. */
  readonly writeRefusal?: ((path: string, how: Writing) => string | null) | undefined;
}

export interface Writing {
  readonly reviewed: boolean;
  /** That the sandbox stands in. */
  readonly workflow: WorkflowDefinition;
}

/** Decides about each connection that a sandbox makes; closed with it. */
export interface EgressDoor {
  accept(connection: Duplex): void;
  [Symbol.asyncDispose](): PromiseLike<void>;
}

export interface EgressFrom {
  readonly runId: string;
  readonly nodeId: string;
}

const MAX_CONCURRENT = 10;
/** Timers in a sandbox without a `timeoutMs` are sat out for so long. */
const WALL_MS = 3_600_000;
/** Signs of life while nothing runs yet: a place, an image and a boot may take their time. */
const WAITING_BEAT_MS = 10_000;

export function openSandboxes(options: SandboxesOptions): Sandboxes {
  const { drivers, minIsolation = "emulated-vm", maxConcurrent = MAX_CONCURRENT, rootDir } = options;
  const slots = new Slots(maxConcurrent);
  const rootOf = (worktree: SandboxCall["worktree"]): string => worktree?.path ?? resolve(rootDir);
  const reaped = new Map<VmDriver, Promise<unknown>>();
  const ready = async (driver: VmDriver): Promise<void> => {
    const before = reaped.get(driver) ?? driver.reap();
    reaped.set(driver, before);
    await before;
    await driver.prepare();
  };
  return {
    async run(call) {
      const endBeats = beating(call, options.clock);
      try {
        if (call.spec.allowNetwork && !options.egress) throw unguarded(call); // N1
        await slots.enter(call.signal);
        try {
          const { driver, runtime } = await driverFor(call, { drivers, minIsolation });
          await ready(driver);
          return await runIn({ driver, runtime, call, root: rootOf(call.worktree), endBeats }, options);
        } finally {
          slots.leave();
        }
      } finally {
        endBeats();
      }
    },
    apply: (files: readonly BundleFile[], worktree) => applyFiles(rootOf(worktree), files),
  };
}

function beating({ beat, signal }: SandboxCall, clock: Clock): () => void {
  const over = new AbortController();
  void (async () => {
    for (;;) {
      await clock.sleep(WAITING_BEAT_MS, AbortSignal.any([signal, over.signal]));
      beat({ waits: "for a sandbox" });
    }
  })().catch(() => {});
  return () => over.abort();
}

async function driverFor(
  { spec, nodeId }: SandboxCall,
  { drivers, minIsolation }: Pick<SandboxesOptions, "drivers"> & { readonly minIsolation: IsolationLevel },
): Promise<{ readonly driver: VmDriver; readonly runtime: SandboxRuntime }> {
  const known = Object.entries(drivers) as [SandboxRuntime, VmDriver][];
  const candidates = await Promise.all(
    known.map(async ([runtime, driver]): Promise<Candidate> => {
      const probe = await driver.probe();
      if (probe.kind === "unusable") return { runtime, level: null, ...probe, lacks: [] };
      return { runtime, ...probe, fixes: [] };
    }),
  );
  const choice = choose(spec, candidates, minIsolation);
  const driver = choice.kind === "chosen" ? drivers[choice.runtime] : undefined;
  if (choice.kind === "chosen" && driver) return { driver, runtime: choice.runtime };
  throw unavailable(nodeId, choice.kind === "refused" ? choice.why : "no driver");
}

interface Running {
  readonly driver: VmDriver;
  readonly runtime: SandboxRuntime;
  readonly call: SandboxCall;
  readonly root: string;
  readonly endBeats: () => void;
}

async function runIn(running: Running, options: SandboxesOptions): Promise<SandboxBundle> {
  const { driver, runtime, call, root, endBeats } = running;
  const { writeRefusal = () => null } = options;
  const { spec, nodeId, iteration, attempt, signal, note } = call;
  const startedMs = options.clock.now();
  const program = spec.child ? await programOf(call) : null;
  await using door = spec.allowNetwork ? options.egress?.({ runId: call.runId, nodeId }) : undefined;
  const vm = await orAborted(driver.create(specOf(call, door)), signal);
  const kill = (): void => void vm.kill();
  signal.addEventListener("abort", kill, { once: true });
  const about = { nodeId, iteration, attempt, sandboxId: vm.id, runtime } as const;
  let childRunId: string | undefined;
  let status: "finished" | "failed" | "cancelled" = "failed";
  try {
    signal.throwIfAborted();
    note({ type: "sandbox.created", ...about, level: vm.level, config: configOf(call) });
    const given = await fill(vm, running, { program, mayRead: options.mayRead ?? (() => true) });
    note({ type: "sandbox.shipped", ...about, bundleSizeBytes: given.sizeBytes });
    endBeats();
    const manifest = await execute(vm, call, options.clock);
    childRunId = manifest.runId;
    const output = answerOf(nodeId, manifest);
    const how = { reviewed: spec.review, workflow: call.around().workflow };
    const isHook = hooksAround(root);
    const refusal = (path: string) => (isHook(path) ? "git runs it by itself" : writeRefusal(path, how)); // N4
    const { files, patch } = await collect(vm, { id: nodeId, root, ...given, refusal });
    status = "finished";
    return { output: rowFromJson(JSON.stringify(output ?? null)), files, patch, runtime, level: vm.level };
  } catch (error) {
    signal.throwIfAborted(); // what broke then broke because of it
    throw error;
  } finally {
    signal.removeEventListener("abort", kill);
    await vm.kill(); // N2
    if (signal.aborted) status = "cancelled";
    const durationMs = options.clock.now() - startedMs;
    const remote = childRunId === undefined ? {} : { remoteRunId: childRunId };
    note({ type: "sandbox.completed", ...about, ...remote, status, durationMs });
  }
}

/** One that comes too late is killed. */
function orAborted(created: Promise<Vm>, signal: AbortSignal): Promise<Vm> {
  const { promise, resolve, reject } = Promise.withResolvers<Vm>();
  const leave = (): void => {
    reject(signal.reason as Error);
    void created.then(
      (vm) => vm.kill(),
      () => {},
    );
  };
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  created.then(resolve, reject);
  return promise.finally(() => signal.removeEventListener("abort", leave));
}

function specOf({ spec, runId, nodeId, timeoutMs }: SandboxCall, door: EgressDoor | undefined): VmSpec {
  return {
    name: `sbx-${hash("sha256", `${runId} ${nodeId}`).slice(0, 12)}`,
    ...(spec.memoryMb === null ? {} : { memoryMb: spec.memoryMb }),
    ...(spec.cpus === null ? {} : { cpus: Math.ceil(spec.cpus) }),
    ...(timeoutMs === null ? {} : { limits: { wallMs: timeoutMs } }),
    ...(door ? { onEgress: (connection: Duplex) => door.accept(connection) } : {}),
  };
}

interface Program {
  readonly code: Uint8Array;
  readonly request: SandboxRequest;
}

async function programOf(call: SandboxCall): Promise<Program> {
  const { spec, nodeId, output, timeoutMs, idempotencyKey } = call;
  const shared = { runId: `run-${hash("sha256", idempotencyKey).slice(0, 22)}`, wallMs: timeoutMs ?? WALL_MS };
  if (spec.child?.kind === "workflow") {
    const { workflow, input } = spec.child;
    const { code } = await enclose(workflow, call.around().workflow);
    return { code, request: { ...shared, output: "output", input, within: null } };
  }
  const { workflow, input, rows, loops } = call.around();
  const { code } = await enclose(workflow, workflow);
  const within = { id: localIdOf(nodeId), rows: [...rows], loops: loops.map(([id, at]): [string, number] => [id, at]) };
  return { code, request: { ...shared, output, input, within } };
}

const localIdOf = (nodeId: string): string => nodeId.split("@@")[0] ?? nodeId;

interface Filling {
  readonly program: Program | null;
  readonly mayRead: (path: string) => boolean;
}

interface Given {
  readonly sizeBytes: number;
  readonly since: TreeStamp;
  readonly seen: HostStamp;
}

/** N3 */
async function fill(vm: Vm, { call, root }: Running, { program, mayRead }: Filling): Promise<Given> {
  const seen = await stampsOf(root, mayRead);
  const { bytes } = await vm.putTree({ from: root, to: vm.workspace, include: [...seen.keys()] });
  const volumes = await putVolumes(vm, call.spec.volumes, root);
  const request = Buffer.from(JSON.stringify(program?.request ?? null));
  const places = placesIn(vm.workspace);
  if (program) await vm.writeFile(places.program, program.code);
  await vm.writeFile(places.request, request);
  const { stamp } = await vm.changes(vm.workspace, { exclude: LEFT_OUT });
  return { sizeBytes: bytes + volumes + (program?.code.length ?? 0) + request.length, since: stamp, seen };
}

const configOf = ({ spec, timeoutMs }: SandboxCall) => ({
  allowNetwork: spec.allowNetwork,
  memoryMb: spec.memoryMb,
  cpus: spec.cpus,
  timeoutMs,
  command: spec.command === null ? null : [...spec.command],
  env: Object.keys(spec.env),
  volumes: spec.volumes.map(({ container }) => container),
  reviewDiffs: spec.review,
});

const unguarded = ({ nodeId }: SandboxCall): SmoothError =>
  unavailable(
    nodeId,
    "it has allowNetwork, and this host guards no way out for sandboxes; start the run on an agent-host with --allow-network, or give its sandboxes an `egress` that decides about each connection",
  );

const unavailable = (id: string, why: string): SmoothError =>
  new SmoothError("SANDBOX_UNAVAILABLE", `sandbox ${id}: ${why}`, { details: { failureRetryable: false } });
