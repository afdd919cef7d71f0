import type { Command } from "commander";
import { GATEWAY } from "@smooth/protocol/gateway";
import type { SmithersProgram } from "../daemon.ts";
import { say } from "../output.ts";
import { EXIT, newProgram, runProgram } from "../program.ts";
import { GROUPS, VERBS, type Local, type Verb } from "./commands.ts";

/** `smithers`: durable workflows. Never rejects: the answer is the exit code. */
export async function runSmithers({ argv, version, ...local }: SmithersProgram): Promise<number> {
  const program = newProgram("smithers", "Run durable workflows on this machine's host.", version);
  for (const verb of VERBS) addVerb(program, verb, local);
  const [first = "--help", ...rest] = argv;
  const elsewhere = Object.hasOwn(ELSEWHERE, first) ? ELSEWHERE[first] : undefined;
  if (elsewhere !== undefined) {
    say(`there is no \`smithers ${first}\` here`);
    say(elsewhere);
    return EXIT.badInput;
  }
  const isFile = /\.[cm]?[jt]sx?$/.test(first); // `smithers flow.tsx` is `smithers up flow.tsx`
  return runProgram(program, isFile ? ["up", first, ...rest] : [first, ...rest], FLAGS_ELSEWHERE);
}

/** Verbs of the documented command line that this one does not have, and what does their work. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  init: "workflow files need no set-up: write one anywhere and start it with `smithers up <file>`",
  workflow: "workflows are named by their files: `smithers up <file>`, `smithers graph <file>`",
  events: "every event of a run: `smithers logs <run>`, as JSON with `--json`",
  node: "what a node did: `smithers timeline <run>`; its result: `smithers output <run> <node>`",
  chat: "what agents said and did: `smithers logs <run>`",
  tui: "the live session of a host is a page: its address is what `th up` prints",
  hijack: "a task lends its agent's session by its `hijack` prop; `smithers why <run>` tells when it waits for you",
  alerts: "what waits for a person: `th inbox`",
  down: "the host stops with `th down`; one run with `smithers cancel <run>`",
  ask: "agents work in runs: `smithers up <file>`, or `th run <pearl>`",
  agents: "model providers are set up with `th auth`; see `th doctor`",
  observability: "metrics are served by a workflow's own program: `smithers-orchestrator/observability`",
  openapi: "`createOpenApiTools` of `smithers-orchestrator/openapi` names the operations it finds",
  completions: "there are none yet; every command has `--help`",
  mcp: "agents reach a host through its methods: docs/rpc.md",
  skills: "there are none; docs/workflows.md is the guide",
};

const FLAGS_ELSEWHERE: Readonly<Record<string, string>> = {
  "--by": "who decides is who is signed in; anything else to remember goes into --note",
  "--format": "verbs that read take --json",
  "--serve": "the host serves every run it has: docs/rpc.md",
  "--log": "the host keeps every event: `smithers logs <run>`",
  "--log-dir": "the host keeps every event: `smithers logs <run> --json`",
  "--supervise": "the host does it by itself; one round by hand: `smithers supervise --once`",
  "--watch": "`smithers logs -f <run>` tells what comes",
};

function addVerb(program: Command, { usage, method, about, options = [], load }: Verb, local: Local): void {
  const [group = ""] = usage.split(" ");
  const parent = group in GROUPS ? groupOf(program, group) : program;
  const own = parent === program ? usage : usage.slice(group.length + 1);
  const command = parent.command(own).description(about ?? (method ? GATEWAY[method].about : ""));
  for (const [flags, meaning, fallback] of options) command.option(flags, meaning, fallback);
  command.action(async (...given: readonly unknown[]) => {
    const run = await load(local);
    await run(given.slice(0, -2) as never, given.at(-2) as never);
  });
}

const groupOf = (program: Command, name: string): Command =>
  program.commands.find((command) => command.name() === name) ?? program.command(name).description(GROUPS[name] ?? "");
