import { newProgram, runProgram } from "../program.ts";
import type { ThProgram } from "../daemon.ts";
import { accessCommands } from "./access.ts";
import { authCommands } from "./auth.ts";
import { hostCommands } from "./host.ts";
import { pearlCommands } from "./pearls.ts";
import { runCommands } from "./runs.ts";
import { sandboxCommands } from "./sandbox.ts";
import { tunnelCommands } from "./tunnel.ts";

/** `th`: teams of agents on this machine. Never rejects: the answer is the exit code. */
export async function runTh({ argv, version, ...local }: ThProgram): Promise<number> {
  const program = newProgram("th", "Run teams of AI coding agents on your own machine.", version);
  hostCommands(program, local);
  authCommands(program);
  pearlCommands(program);
  sandboxCommands(program, local.prepareSandbox);
  runCommands(program);
  accessCommands(program);
  tunnelCommands(program);
  return runProgram(program, argv.length === 0 ? ["--help"] : argv);
}
