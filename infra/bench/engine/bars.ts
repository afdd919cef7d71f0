/** The bars of the engine's speed, and what was measured against each. Pure, so that the verdicts can be tested. */
import type { Measured, Workload } from "./workloads.ts";

export const PEERS = ["openworkflow", "dbos", "restate", "smithers"] as const;
export type Peer = (typeof PEERS)[number];
export type Engine = "ours" | Peer;

/** Ours divided by the peer's, at most this. */
export const RATIO_BARS: readonly { readonly workload: Workload; readonly peer: Peer; readonly atMost: number }[] = [
  { workload: "chain", peer: "openworkflow", atMost: 0.5 },
  { workload: "chain", peer: "dbos", atMost: 0.3 },
  { workload: "chain", peer: "restate", atMost: 0.3 },
  { workload: "chain", peer: "smithers", atMost: 1 / 150 },
  { workload: "fan-out", peer: "restate", atMost: 0.4 },
  { workload: "fan-out", peer: "smithers", atMost: 1 / 400 },
  { workload: "loop", peer: "openworkflow", atMost: 0.6 },
  { workload: "loop", peer: "smithers", atMost: 1 / 150 },
  { workload: "runs", peer: "openworkflow", atMost: 1 / 3 },
  { workload: "runs", peer: "smithers", atMost: 1 / 60 },
];

/** What we measure of ourselves alone, at most this. */
export const OWN_BARS = {
  "cost per step, 10,000 against 100": 1.15,
  "store bytes per step": 570,
  "syncs per step, chain": 1.05,
  "syncs per step, fan-out": 0.1,
  "syncs per step, runs": 0.02,
  "kill -9 at 500 of 1,000: ms from spawn to the first new step": 450,
  "recorded steps run again after it": 0,
  "cold start of a one-task workflow against node -e 0": 2.5,
  "cold start against smithers": 0.15,
  "RSS MB after a chain of 1,000": 90,
} as const;
export type OwnBar = keyof typeof OWN_BARS;

export type Verdict =
  | { readonly kind: "met" | "short"; readonly measured: number; readonly atMost: number }
  | { readonly kind: "skipped"; readonly why: string };

export const verdict = (measured: number, atMost: number): Verdict => ({
  kind: measured <= atMost ? "met" : "short",
  measured,
  atMost,
});

/** Medians of several rounds, per step. */
export function perStep(rounds: readonly Measured[]): { readonly wallMs: number; readonly cpuMs: number } {
  const of = (read: (round: Measured) => number): number => median(rounds.map((round) => read(round) / round.steps));
  return { wallMs: of(({ wallMs }) => wallMs), cpuMs: of(({ cpuMs }) => cpuMs) };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
