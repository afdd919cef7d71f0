import type { Command } from "commander";
import { GATEWAY } from "@smooth/protocol/gateway";
import type { SmithersProgram } from "../daemon.ts";
import { newProgram, runProgram } from "../program.ts";
import { GROUPS, VERBS, type Local, type Verb } from "./commands.ts";

/** `smithers`: durable workflows. Never rejects: the answer is the exit code. */
export async function runSmithers({ argv, version, ...local }: SmithersProgram): Promise<number> {
  const program = newProgram("smithers", "Run durable workflows on this machine's host.", version);
  for (const verb of VERBS) addVerb(program, verb, local);
  return runProgram(program, argv.length === 0 ? ["--help"] : argv);
}

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
