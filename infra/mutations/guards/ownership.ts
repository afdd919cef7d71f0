/** Who owns a run, what it was started with, and stores that cannot write. */
import type { GuardedFile } from "../guard.ts";
import { RULES, WORKFLOW, ENGINE } from "../rooms.ts";

export const OWNERSHIP_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/run/patience.ts`,
    guards: [
      {
        id: "patience W1 again",
        text: "if (on === null || leaving.aborted) throw error; // W1",
        instead: "throw error;",
        test: [
          `${WORKFLOW}/faults/no-writes.machine.test.ts`,
          "parks the run where a write fails, and it goes on when there is room: nothing lost, nothing repeated",
        ],
      },
      {
        id: "patience W1 unknown",
        text: "if (on === null || leaving.aborted) throw error; // W1",
        instead: "if (leaving.aborted) throw error;",
        test: [
          `${RULES}/store-health.test.tsx`,
          "W1: a store that fails otherwise fails the drive; the run stays as it was recorded",
        ],
      },
      {
        id: "patience W2",
        text: "if (waited) onWait(null);",
        instead: "",
        test: [
          `${RULES}/store-health.test.tsx`,
          "W1, W2: a write refused for %s is tried again whole, and the run goes on as if nothing had been",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/store-health.ts`,
    guards: [
      {
        id: "store W4",
        text: "(this.#low ? 2 * lowDiskBytes : lowDiskBytes)",
        instead: "lowDiskBytes",
        test: [
          `${RULES}/store-health.test.tsx`,
          "W3, W4: with too little room what runs is recorded and nothing new starts, until there is twice the watermark",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/stopping.ts`,
    guards: [
      {
        id: "stop releases patience",
        text: `if (why.status === "released") health.leave();`,
        instead: "",
        test: [`${RULES}/store-health.test.tsx`, "whoever lets a run go does not wait for its store"],
      },
      {
        id: "stop drain",
        text: "bell.after(DRAIN_MS, over.signal, () => (this.#drained = true));",
        instead: "",
        test: [`${RULES}/endings.test.tsx`, "a body that ignores its abort does not hold the end of the run"],
      },
      {
        id: "aftermath of a cancelled run",
        text: `if (why.status !== "failed") this.#givenUp.abort(reason);`,
        instead: "",
        test: [`${RULES}/aftermath.test.tsx`, "the results of a failed run are scored too; a cancelled run is not"],
      },
    ],
  },
  {
    file: `${ENGINE}/run/tend.ts`,
    guards: [
      {
        id: "lease by polls",
        text: "if (tended.polls % POLLS_PER_RENEWAL !== 0) return;",
        instead: "if (clock.now() < 1_800_000_000_000) return;",
        test: [
          `${WORKFLOW}/faults/clock-jumps.test.tsx`,
          "a clock set back does not let the lease run out: another host still finds the owner alive",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/ownership.ts`,
    guards: [
      {
        id: "owner O1 dead",
        text: "row.owner.host === host ? !isAlive(row.owner) :",
        instead: "row.owner.host === host ? false :",
        test: [`${RULES}/ownership.test.tsx`, "an owner that lost its run cannot record, and stops itself"],
      },
      {
        id: "owner O1 alive",
        text: "row.owner.host === host ? !isAlive(row.owner) :",
        instead: "row.owner.host === host ? true :",
        test: [
          `${RULES}/ownership.test.tsx`,
          "a run with a living owner is not taken over; a finished one is not resumed",
        ],
      },
      {
        id: "owner O1 lease",
        text: "nowMs - row.heartbeatAtMs > LEASE_MS",
        instead: "true",
        test: [
          `${WORKFLOW}/faults/clock-jumps.test.tsx`,
          "a clock set back does not let the lease run out: another host still finds the owner alive",
        ],
      },
      {
        id: "owner over",
        text: `if (OVER.has(row.status)) return "over";`,
        instead: "",
        test: [
          `${RULES}/ownership.test.tsx`,
          "a run with a living owner is not taken over; a finished one is not resumed",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/process-owner.node.ts`,
    guards: [
      {
        id: "owner boot",
        text: "if (boot !== bootId()) return false;",
        instead: "",
        test: [
          `${ENGINE}/run/process-owner.test.ts`,
          "this process lives; its pid in another boot or with another start time does not",
        ],
      },
      {
        id: "owner start time",
        text: `if (pidStartedAt !== "") return startedAt(pid) === pidStartedAt;`,
        instead: "",
        test: [
          `${ENGINE}/run/process-owner.test.ts`,
          "this process lives; its pid in another boot or with another start time does not",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/start.ts`,
    guards: [
      {
        id: "start limits",
        text: `export async function startRun(options: StartRun): Promise<RunHandle> {
  checkLimits(options);`,
        instead: "export async function startRun(options: StartRun): Promise<RunHandle> {",
        test: [`${RULES}/bad-input.test.tsx`, "a run that could start nothing is refused before its first row: %o"],
      },
      {
        id: "resume limits",
        text: `export async function resumeRun(options: ResumeRun): Promise<RunHandle> {
  checkLimits(options);`,
        instead: "export async function resumeRun(options: ResumeRun): Promise<RunHandle> {",
        test: [`${RULES}/bad-input.test.tsx`, "a resume with such a limit is refused, and leaves the run as it was"],
      },
      {
        id: "start P3 created",
        text: "void giveBack({ ...options, runId, epoch: 1 }); // whether it was created is unknown",
        instead: "",
        test: [
          `${RULES}/store-health.test.tsx`,
          "P3: a run that may have been %s when the store broke off belongs to nobody",
        ],
      },
      {
        id: "start P3 claimed",
        text: "void (error instanceof SmoothError || giveBack(left)); // whether it was claimed is unknown",
        instead: "void 0;",
        test: [
          `${RULES}/store-health.test.tsx`,
          "P3: a run that may have been %s when the store broke off belongs to nobody",
        ],
      },
      {
        id: "start P2",
        text: "if (row.epoch !== claimed?.epoch) checkClaim(",
        instead: "if (false) checkClaim(",
        test: [
          `${RULES}/ownership.test.tsx`,
          "a run with a living owner is not taken over; a finished one is not resumed",
        ],
      },
      {
        id: "start P2 claim",
        text: `if (held === null)
      throw`,
        instead: `if (false)
      throw`,
        test: [
          `${RULES}/ownership.test.tsx`,
          "P2: of two processes that resume a run at the same time one has it, the other hears that it lost",
        ],
      },
      {
        id: "start lets go",
        text: "await letGo(store, { run: claimed?.run ?? row, epoch: held, atMs: clock.now() })",
        instead: "await Promise.resolve()",
        test: [`${WORKFLOW}/claims.test.tsx`, "a claimed run that cannot be resumed here is free again, as it was"],
      },
      {
        id: "start P1 successor",
        text: "if (row?.epoch !== 1) return undefined;",
        instead: "return undefined;",
        test: [
          `${RULES}/continue-as-new.test.tsx`,
          "N1: the successor runs the same ids again, with the state, and nothing after the element runs",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/metadata.ts`,
    guards: [
      {
        id: "resume M1 files",
        text: "const files = changes(then.source.files, now.source.files)",
        instead: "const files = changes({}, {})",
        test: [
          `${WORKFLOW}/resume-check.test.ts`,
          "M1: a changed file, however deep, a changed package and another input are named",
        ],
      },
      {
        id: "resume M1 packages",
        text: "const packages = changes(then.source.packages, now.source.packages)",
        instead: "const packages = changes({}, {})",
        test: [
          `${WORKFLOW}/resume-check.test.ts`,
          "M1: a changed file, however deep, a changed package and another input are named",
        ],
      },
      {
        id: "resume M1 input",
        text: "if (now.input !== undefined && canonical(now.input) !== canonical(recorded.input))",
        instead: "if (false)",
        test: [
          `${WORKFLOW}/resume-check.test.ts`,
          "M1: a changed file, however deep, a changed package and another input are named",
        ],
      },
      {
        id: "resume M1 folder",
        text: "const moved = then.vcsRoot !== null && now.vcsRoot !== null && then.vcsRoot !== now.vcsRoot;",
        instead: "const moved = false;",
        test: [`${WORKFLOW}/resume-check.test.ts`, "a run is not carried over into another repository"],
      },
    ],
  },
];
