/** The engine against its peers, side by side on this machine:
 *  npm run bench:engine [-- --quick] [--peers <folder>] [--only <peer,…>] [--save <file>]
 *  Rounds are interleaved, so that a slow minute hurts everybody. CPU and syncs per step decide; wall time is told. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import {
  median,
  OWN_BARS,
  PEERS,
  perStep,
  RATIO_BARS,
  verdict,
  type Engine,
  type OwnBar,
  type Verdict,
} from "./bars.ts";
import { lastLine, lifetimeMs, measured, ours, syncsOf, untilLine, withArgs, type Command } from "./child.ts";
import { readyPeer, type ReadyPeer } from "./peers.ts";
import { WORKLOADS, type Measured, type Workload } from "./workloads.ts";

const { values: flags } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    peers: { type: "string" },
    only: { type: "string" },
    save: { type: "string" },
  },
});
const rounds = flags.quick ? 1 : 9;
/** A peer that takes long for a round takes part in the first ones. */
const SLOW = { roundMs: 5_000, rounds: 3 };
const sizes: Readonly<Record<Workload, number>> = flags.quick
  ? { chain: 200, "fan-out": 200, loop: 100, runs: 1_000 }
  : { chain: 1_000, "fan-out": 1_000, loop: 500, runs: 1_000 };
const said: string[] = [];
const tell = (line: string): void => {
  said.push(line);
  process.stdout.write(`${line}\n`);
};
const verdicts: Verdict[] = [];

function judge(name: string, outcome: Verdict): void {
  verdicts.push(outcome);
  if (outcome.kind === "skipped") return tell(`  skipped  ${name}: ${outcome.why}`);
  const sign = outcome.kind === "met" ? "met    " : "SHORT  ";
  tell(`  ${sign}  ${name}: ${figure(outcome.measured)} (at most ${figure(outcome.atMost)})`);
}

const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

// ---- against the peers ----

async function readyPeers(stack: AsyncDisposableStack): Promise<Map<Engine, Command>> {
  const root = flags.peers ?? join(tmpdir(), "smooth-bench-peers");
  const wanted = flags.only?.split(",") ?? PEERS;
  const engines = new Map<Engine, Command>([["ours", our]]);
  for (const peer of PEERS.filter((name) => wanted.includes(name))) {
    tell(`[${peer}] installing into ${join(root, peer)} …`);
    const ready = await readyPeer(peer, root).catch((error: Error) => error);
    if (ready instanceof Error) tell(`[${peer}] skipped: ${ready.message}`);
    else engines.set(peer, stack.use<ReadyPeer>(ready));
  }
  return engines;
}

const takesPart = (engine: Engine, workload: Workload): boolean =>
  engine === "ours" || RATIO_BARS.some((bar) => bar.peer === engine && bar.workload === workload);

function interleaved(workload: Workload, engines: ReadonlyMap<Engine, Command>): Map<Engine, Measured[]> {
  const results = new Map<Engine, Measured[]>();
  const taking = [...engines].filter(([engine]) => takesPart(engine, workload));
  for (let round = 0; round < rounds; round += 1)
    for (const [engine, command] of taking) {
      if (round >= SLOW.rounds && (results.get(engine)?.[0]?.wallMs ?? 0) > SLOW.roundMs) continue;
      const result = measured(withArgs(command, workload, sizes[workload]));
      results.set(engine, [...(results.get(engine) ?? []), result]);
    }
  return results;
}

function against(workload: Workload, engines: ReadonlyMap<Engine, Command>): void {
  tell(
    `\n${workload}: ${WORKLOADS[workload]} (${sizes[workload]} steps, median of ${rounds}; of ${SLOW.rounds} where a round takes more than ${SLOW.roundMs / 1_000} s)`,
  );
  const results = interleaved(workload, engines);
  const ours = perStep(results.get("ours") ?? []);
  for (const [engine, list] of results) {
    const { wallMs, cpuMs } = perStep(list);
    const ratios =
      engine === "ours" ? "" : `  ours is ${figure(ours.wallMs / wallMs)}× wall, ${figure(ours.cpuMs / cpuMs)}× CPU`;
    tell(`  ${engine.padEnd(14)} ${figure(wallMs)} ms/step wall  ${figure(cpuMs)} ms/step CPU${ratios}`);
  }
  for (const { peer, atMost } of RATIO_BARS.filter((bar) => bar.workload === workload)) {
    const name = `${workload}: CPU against ${peer}`;
    const theirs = results.get(peer);
    if (theirs) judge(name, verdict(ours.cpuMs / perStep(theirs).cpuMs, atMost));
    else judge(name, { kind: "skipped", why: "the peer is not here" });
  }
}

// ---- ourselves ----

const own = (bar: OwnBar, value: number | null): void =>
  judge(bar, value === null ? { kind: "skipped", why: "strace is not here" } : verdict(value, OWN_BARS[bar]));

/** Opening and closing the file syncs too; a run of one step says how often. */
function syncs(): void {
  const fixed = syncsOf(withArgs(our, "chain", 1));
  for (const workload of ["chain", "fan-out", "runs"] as const) {
    const all = syncsOf(withArgs(our, workload, 1_000));
    own(`syncs per step, ${workload}`, all === null || fixed === null ? null : (all - fixed) / 999);
  }
}

async function killed(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "bench-kill-"));
  spawnSync(our.command, [...our.args, "half", folder], { env: { ...process.env, ...our.env } });
  const { ms, output } = await untilLine(withArgs(our, "resume", folder), "first new step");
  const { ran, distinct } = JSON.parse(output.trim().split("\n").at(-1) ?? "{}") as { ran: number; distinct: number };
  own("kill -9 at 500 of 1,000: ms from spawn to the first new step", ms);
  own("recorded steps run again after it", ran - distinct);
  rmSync(folder, { recursive: true });
}

const STARTS = 9;

/** Interleaved, so that a slow moment hurts both. */
function coldStart(engines: ReadonlyMap<Engine, Command>): void {
  const started = Array.from({ length: STARTS }, () => ({
    ours: lifetimeMs(withArgs(our, "chain", 1)),
    node: lifetimeMs({ command: process.execPath, args: ["-e", "0"] }),
  }));
  const oursMs = median(started.map((round) => round.ours));
  own("cold start of a one-task workflow against node -e 0", oursMs / median(started.map((round) => round.node)));
  const smithers = engines.get("smithers");
  if (smithers) own("cold start against smithers", oursMs / lifetimeMs(withArgs(smithers, "chain", 1)));
  else judge("cold start against smithers", { kind: "skipped", why: "the peer is not here" });
}

await using stack = new AsyncDisposableStack();
const processor = cpus()[0]?.model ?? "unknown";
tell(
  `${cpus().length} × ${processor}, ${Math.round(totalmem() / 2 ** 30)} GiB, node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`,
);
const our = await ours();
tell(
  `ours: the bundle, ${our.args.slice(0, -1).join(" ")}, with the compile cache of an earlier run; peers as they are published`,
);
const engines = await readyPeers(stack);
for (const workload of Object.keys(WORKLOADS) as Workload[]) against(workload, engines);
tell("\nours alone");
const thousand = measured(withArgs(our, "chain", 1_000));
own("store bytes per step", thousand.bytes / thousand.steps);
own("RSS MB after a chain of 1,000", thousand.rssMb);
syncs();
own("cost per step, 10,000 against 100", lastLine<{ ratio: number }>(withArgs(our, "growth")).ratio);
await killed();
coldStart(engines);
const met = verdicts.filter(({ kind }) => kind === "met").length;
const short = verdicts.filter(({ kind }) => kind === "short").length;
if (verdicts.length > met + short) tell(`skipped: ${verdicts.length - met - short}`);
tell(`bars: ${met} met, ${short} short`);
if (flags.save)
  writeFileSync(
    flags.save,
    `# The engine beside its peers\n\nWritten by \`npm run bench:engine -- --save\`.\n\n\`\`\`\n${said.join("\n")}\n\`\`\`\n`,
  );
