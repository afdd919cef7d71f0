/** The four workloads, as every engine of the bench runs them: bodies that answer `{ n, text }` and do nothing else. */
export const WORKLOADS = {
  chain: "steps one after the other, one run",
  "fan-out": "steps 16 at once, one run",
  loop: "one step in a loop, one run",
  runs: "200 runs of 5 steps, started together",
} as const;
export type Workload = keyof typeof WORKLOADS;

/** What one run of a workload took; every child prints this as its last line. */
export interface Measured {
  readonly wallMs: number;
  /** Of the process and of the servers that work for it. */
  readonly cpuMs: number;
  readonly steps: number;
  readonly bytes: number;
  readonly rssMb: number;
}
