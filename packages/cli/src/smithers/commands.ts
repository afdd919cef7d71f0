import type { MethodName } from "@smooth/protocol/gateway";
import type { GraphOf } from "../daemon.ts";

/** The one table of `smithers`: what a verb is called, what it takes, and where it is done. What it is about says the gateway's
 *  own row, or `about` where the verb is more, or less, than a method of the host. Only the file of the verb that is called is loaded. */

export interface Verb {
  /** Words, then arguments: `cron add <pattern> <workflow>`. */
  readonly usage: string;
  readonly method?: MethodName;
  readonly about?: string;
  /** Flags, meaning, default. */
  readonly options?: readonly Option[];
  /** What does it: given its arguments and flags. */
  readonly load: (local: Local) => Promise<(args: never, flags: never) => Promise<void>>;
}
/** What is done on this machine and not asked of a host. */
export interface Local {
  readonly graphOf: GraphOf;
}
type Option = readonly [flags: string, about: string, fallback?: string];

export const GROUPS: Readonly<Record<string, string>> = {
  human: "Questions that runs ask people.",
  cron: "Workflow files by a clock; the host fires them.",
  memory: "What workflows remember across runs.",
};

const JSON_FLAG: Option = ["--json", "one JSON document"];
const FORCE: Option = ["--force", "go past calls that cannot be undone, and past a process that works on the run"];
const RUN: Option = ["-r, --run-id <id>", "the run, when the argument is its workflow file"];
const NODE: Option = ["-n, --node-id <id>", "the task"];
const ITERATION: Option = ["--iteration <n>", "of a loop", "0"];
const NO_DEPS: Option = ["--no-deps", "only this task; what came after it keeps its results"];
const INPUT: Option = ["-i, --input <json>", "another input"];
const FRAME: Option = ["-f, --frame <n>", "the frame; default: the newest"];
const LABEL: Option = ["-l, --label <text>", "what the branch is called"];
const BRANCH = [RUN, FRAME, INPUT, LABEL, FORCE];
const TASK = [RUN, NODE, ITERATION];
const DECIDE: readonly Option[] = [
  ["-n, --node <id>", "which node; not needed when only one waits"],
  ["--iteration <n>", "of a loop"],
  ["--note <text>", "kept with the decision"],
];

export const VERBS: readonly Verb[] = [
  {
    usage: "up <workflow>",
    method: "launchRun",
    about: "Start a workflow file, or resume its run, and follow it.",
    options: [
      ["-i, --input <json>", "what the workflow gets", "{}"],
      ["-r, --run-id <id>", "name the run (run-…), or the one to resume"],
      ["--resume [true]", "continue the run of --run-id"],
      ["--accept-workflow-change", "with --resume: go on although the workflow's files have changed"],
      ["-d, --detach", "print the run's id and leave"],
      ["-c, --max-concurrency <n>", "tasks at once; default 4"],
      ["--root <folder>", "what tools work in and cannot leave; default: the workflow's folder"],
      ["--allow-network", "commands of the bash tool may ask to use the network"],
      ["--max-output-bytes <n>", "of one tool call; default 200000"],
      ["--tool-timeout-ms <n>", "of bash and grep; default 60000"],
      ["--hot", "take up edits of the file while it runs"],
    ],
    load: async () => (await import("./verbs/up.ts")).up,
  },
  {
    usage: "ps",
    method: "listRuns",
    options: [
      ["-s, --status <status>", "only these; also waiting-approval, waiting-event, waiting-timer, waiting-quota"],
      ["-l, --limit <n>", "how many", "50"],
      JSON_FLAG,
    ],
    load: async () => (await import("./verbs/runs.ts")).ps,
  },
  {
    usage: "logs <run>",
    method: "streamRunEvents",
    about: "Every event of a run.",
    options: [
      ["-f, --follow", "stay until the run ends and print what comes; with --json one event per line"],
      ["-n, --tail <n>", "only the last events"],
      JSON_FLAG,
    ],
    load: async () => (await import("./verbs/logs.ts")).logs,
  },
  {
    usage: "inspect <run>",
    method: "getRun",
    options: [JSON_FLAG],
    load: async () => (await import("./verbs/runs.ts")).inspect,
  },
  {
    usage: "output <run> [node]",
    method: "getNodeOutput",
    about: "What a run came to, or the recorded row of one of its nodes, as JSON.",
    options: [ITERATION, JSON_FLAG],
    load: async () => (await import("./verbs/runs.ts")).output,
  },
  {
    usage: "graph <workflow>",
    about: "Render a workflow's tree and tasks without running anything.",
    options: [["-i, --input <json>", "what the workflow gets", "{}"], JSON_FLAG],
    load: async ({ graphOf }) => (await import("./verbs/graph.ts")).graphWith(graphOf),
  },
  {
    usage: "why <run>",
    method: "explainRun",
    options: [JSON_FLAG],
    load: async () => (await import("./verbs/waits.ts")).why,
  },
  {
    usage: "approve <run>",
    method: "submitApproval",
    options: [
      ...DECIDE,
      ["--choose <option>", "of an approval that offers options"],
      ["--rank <options>", "all options, the best first, by commas"],
    ],
    load: async () => (await import("./verbs/decide.ts")).approve,
  },
  {
    usage: "deny <run>",
    method: "submitApproval",
    options: DECIDE,
    load: async () => (await import("./verbs/decide.ts")).deny,
  },
  {
    usage: "signal <run> <name>",
    method: "signalRun",
    options: [
      ["--data <json>", "the payload", "null"],
      ["--correlation <id>", "only for who waits with the same one"],
    ],
    load: async () => (await import("./verbs/waits.ts")).signal,
  },
  ...(["inbox", "list"] as const).map((word): Verb => ({
    usage: `human ${word} [run]`,
    method: "listQuestions",
    options: [JSON_FLAG],
    load: async () => (await import("./verbs/human.ts")).questions,
  })),
  {
    usage: "human answer <request>",
    method: "answerQuestion",
    options: [["--value <json>", "the answer"]],
    load: async () => (await import("./verbs/human.ts")).answer,
  },
  {
    usage: "human cancel <request>",
    method: "cancelQuestion",
    options: [["--note <text>", "why"]],
    load: async () => (await import("./verbs/human.ts")).refuse,
  },
  {
    usage: "pause <run>",
    method: "pauseRun",
    about: "Let a run begin nothing more until it is resumed.",
    load: async () => (await import("./verbs/waits.ts")).pause,
  },
  { usage: "resume <run>", method: "resumeRun", load: async () => (await import("./verbs/waits.ts")).resume },
  { usage: "cancel <run>", method: "cancelRun", load: async () => (await import("./verbs/runs.ts")).stop },
  {
    usage: "supervise",
    method: "superviseRuns",
    options: [
      ["-n, --dry-run", "only say what would be taken up"],
      ["-i, --interval <duration>", "between rounds: 10s, 1m", "10s"],
      ["--once", "one round"],
      JSON_FLAG,
    ],
    load: async () => (await import("./verbs/upkeep.ts")).supervise,
  },
  {
    usage: "gc",
    method: "collectGarbage",
    options: [
      ["-n, --dry-run", "only say what would go"],
      ["--older-than <duration>", "ended longer ago: 30d, 12h"],
      ["--keep <n>", "of those that are over, only so many stay"],
      ["--max-bytes <n>", "of all runs with their payloads; the oldest that are over go first"],
      JSON_FLAG,
    ],
    load: async () => (await import("./verbs/upkeep.ts")).gc,
  },
  {
    usage: "timeline <run>",
    method: "runTimeline",
    options: [["--tree", "with its forks, and theirs"], JSON_FLAG],
    load: async () => (await import("./verbs/past.ts")).timeline,
  },
  {
    usage: "diff <a> [b]",
    method: "compareRuns",
    options: [
      ["-n, --node <id>", "instead: the files that an attempt of this node of run <a> changed"],
      ITERATION,
      ["-a, --attempt <n>", "of the node; default: the newest"],
      JSON_FLAG,
    ],
    load: async () => (await import("./verbs/past.ts")).diff,
  },
  {
    usage: "fork <run-or-workflow>",
    method: "forkRun",
    about: "Make a new run from a frame of another one; it waits until it is resumed, or starts with --run.",
    options: [
      ...BRANCH,
      ["-n, --reset-node <id>", "do it again, with everything that comes after it"],
      ["--run", "start the fork at once"],
    ],
    load: async () => (await import("./verbs/fork.ts")).fork,
  },
  {
    usage: "replay <run-or-workflow>",
    about: "Fork a run from a frame and start the fork at once.",
    options: [
      ...BRANCH,
      ["-n, --node <id>", "do it again, with everything that comes after it"],
      ["--restore-vcs", "put the files back as they were at the frame"],
    ],
    load: async () => (await import("./verbs/fork.ts")).replay,
  },
  {
    usage: "retry-task <run-or-workflow>",
    method: "retryTask",
    options: [...TASK, NO_DEPS, FORCE],
    load: async () => (await import("./verbs/back.ts")).retryTask,
  },
  {
    usage: "timetravel <run-or-workflow>",
    method: "timetravel",
    options: [
      ...TASK,
      NO_DEPS,
      FORCE,
      ["-a, --attempt <n>", "default: the newest"],
      ["--no-vcs", "leave the files as they are"],
      ["--resume", "go on at once"],
    ],
    load: async () => (await import("./verbs/back.ts")).timetravel,
  },
  {
    usage: "revert <run-or-workflow>",
    method: "revertFiles",
    options: [...TASK, ["-a, --attempt <n>", "default: the newest"]],
    load: async () => (await import("./verbs/back.ts")).revert,
  },
  {
    usage: "rewind <run-or-workflow>",
    method: "rewindRun",
    options: [
      RUN,
      ["-f, --frame <n>", "the frame to go back to"],
      ["--confirm", "it destroys"],
      ["--resume", "go on at once"],
      FORCE,
    ],
    load: async () => (await import("./verbs/back.ts")).rewind,
  },
  {
    usage: "cron list",
    method: "listSchedules",
    options: [JSON_FLAG],
    load: async () => (await import("./verbs/cron.ts")).list,
  },
  {
    usage: "cron add <pattern> <workflow>",
    method: "createSchedule",
    options: [
      INPUT,
      ["--timezone <zone>", "IANA; default UTC"],
      ["--catch-up <how>", "after an outage: skip, once, all; default once"],
      ["--overlap <how>", "while the last one runs: skip, queue, cancel-previous; default skip"],
      JSON_FLAG,
    ],
    load: async () => (await import("./verbs/cron.ts")).add,
  },
  { usage: "cron rm <schedule>", method: "deleteSchedule", load: async () => (await import("./verbs/cron.ts")).remove },
  {
    usage: "cron start [schedule]",
    about: "Let a schedule that rests fire again, or all of them.",
    load: async () => (await import("./verbs/cron.ts")).start,
  },
  {
    usage: "cron stop [schedule]",
    about: "Let a schedule rest, or all of them; what falls due meanwhile is let go.",
    load: async () => (await import("./verbs/cron.ts")).stop,
  },
  {
    usage: "memory list <namespace>",
    method: "listFacts",
    options: [JSON_FLAG],
    load: async () => (await import("./verbs/memory.ts")).list,
  },
  {
    usage: "memory get <namespace> <key>",
    options: [JSON_FLAG],
    about: "One fact of a namespace, as JSON.",
    load: async () => (await import("./verbs/memory.ts")).get,
  },
  {
    usage: "memory recall <query>",
    method: "recallFacts",
    options: [
      ["-n, --namespace <namespace>", "where to look", "global:default"],
      ["-k, --top-k <n>", "how many", "5"],
      JSON_FLAG,
    ],
    load: async () => (await import("./verbs/memory.ts")).recall,
  },
  {
    usage: "scores <run>",
    method: "runScores",
    options: [["--node <id>", "only of this node"], JSON_FLAG],
    load: async () => (await import("./verbs/scores.ts")).scores,
  },
];
