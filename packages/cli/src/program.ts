import { Command, CommanderError } from "commander";
import { ERRORS, SmoothError, toSmoothError, type ErrorCode } from "@smooth/protocol/errors";
import { GATEWAY, type MethodName } from "@smooth/protocol/gateway";
import type { z } from "zod";
import { clean, progress, say } from "./output.ts";

/** From a command line to an exit code.
 *  R1. 0 ok · 1 failed · 2 cancelled · 3 waiting · 4 bad input · 130 SIGINT · 143 SIGTERM.
 *  R2. A failure is two lines on stderr: what failed, with the value; what to do next.
 *  R3. The first Ctrl-C or TERM ends the work in order, the second ends the process. */

export const EXIT = { ok: 0, failed: 1, cancelled: 2, waiting: 3, badInput: 4 } as const;

/** A command that ended, but not with 0. */
export class ExitCode extends Error {
  override readonly name = "ExitCode";
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

export function newProgram(name: string, about: string, version: string): Command {
  return new Command(name)
    .description(about)
    .version(version, "--version", "Print the version.")
    .helpOption("-h, --help", "Print this help.")
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ outputError: () => {} });
}

/** A command whose one-line help is the gateway's own. */
export const rpcCommand = (parent: Command, usage: string, method: MethodName): Command =>
  parent.command(usage).description(GATEWAY[method].about);

/** `elsewhere`: flags it does not have, and what does their work. */
export async function runProgram(
  program: Command,
  argv: readonly string[],
  elsewhere: Readonly<Record<string, string>> = {},
): Promise<number> {
  // `th … | head`: a reader that has seen enough is not a failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) =>
    process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.failed),
  );
  try {
    await program.parseAsync(argv, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    progress("");
    if (error instanceof CommanderError) return explainUsage(error, { name: calledBy(program, argv), elsewhere });
    return explain(error);
  }
}

/** The command line up to the last word that is a command: whose help answers. */
function calledBy(program: Command, argv: readonly string[]): string {
  const names = [program.name()];
  let at = program;
  for (const word of argv) {
    const inner = at.commands.find((command) => command.name() === word);
    if (inner === undefined) break;
    names.push(word);
    at = inner;
  }
  return names.join(" ");
}

function explain(error: unknown): number {
  if (error instanceof ExitCode) return error.code;
  if (stop.signal.aborted && error === stop.signal.reason) return stopCode;
  const { code, message, cause } = toSmoothError(error);
  say(clean(message).replaceAll(/\s*\n\s*/g, "; ")); // R2
  say(clean(HINTS[code] ?? ERRORS[code].about));
  if (code === "INTERNAL" && process.env["DEBUG"]) say(String((cause as Error)?.stack ?? cause));
  return ERRORS[code].exit;
}

interface Called {
  readonly name: string;
  readonly elsewhere: Readonly<Record<string, string>>;
}

function explainUsage({ exitCode, message }: CommanderError, { name, elsewhere }: Called): number {
  if (exitCode === 0) return EXIT.ok;
  const [what = "", suggestion] = message.replace(/^error: /, "").split("\n");
  if (what === "(outputHelp)") return EXIT.badInput;
  say(clean(what));
  const flag = /^unknown option '(.+?)(?:=.*)?'/.exec(what)?.[1] ?? "";
  say((Object.hasOwn(elsewhere, flag) ? elsewhere[flag] : suggestion) ?? `see what there is with \`${name} --help\``);
  return EXIT.badInput;
}

const HINTS: Partial<Record<ErrorCode, string>> = {
  HOST_OFFLINE: "start it with `th up`",
  UNAUTHENTICATED: "the host was started anew since; try again, or restart it with `th down` and `th up`",
  NOT_FOUND: "look at what there is, and take its name from there",
  NODE_NOT_FOUND: "see the nodes of the run with `smithers timeline <run>`, and what waits with `smithers why <run>`",
  SNAPSHOT_NOT_FOUND: "see the frames of the run with `smithers timeline <run>`",
  RUN_NOT_RESUMABLE:
    "see how it stands with `smithers inspect <run>`; to do a part again: `smithers retry-task`, `smithers fork`",
  CONFLICT: "see how it stands with `smithers inspect <run>`",
  POLICY_DENIED: "ask the owner of this host, at its machine",
  RUN_NOT_FOUND: "see the runs with `smithers ps`",
  PEARL_NOT_FOUND: "see the pearls with `th pearls list`",
  ASK_NOT_FOUND: "see what waits with `th inbox`",
  ALREADY_DECIDED: "see what still waits with `th inbox`",
  SANDBOX_UNAVAILABLE: "see what is missing with `th doctor`",
  CONFIG_INVALID: "correct what it names, and try again",
  INVALID_INPUT: "correct it and try again; `--help` shows what is expected",
};

const stop = new AbortController();
let stopCode = 0;

/** R3. Asked for by commands that take long; the others just end. */
export function stopSignal(): AbortSignal {
  if (process.listenerCount("SIGINT") === 0) {
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      process.on(signal, () => {
        if (stop.signal.aborted) process.exit(code);
        stopCode = code;
        stop.abort(new SmoothError("CANCELLED", `stopped by ${signal}`));
      });
    }
  }
  return stop.signal;
}
/** The exit code of the signal that came, if one came. */
export const stoppedBy = (): number => stopCode;

/** Parses one argument with a schema of the protocol; the message names the value. */
export function parseArgument<S extends z.ZodType>(type: S, value: unknown, what: string): z.output<S> {
  const parsed = type.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new SmoothError("INVALID_INPUT", `${what} ${JSON.stringify(value)}: ${first(parsed.error)}`);
}

const first = ({ issues: [issue] }: z.ZodError): string =>
  issue === undefined ? "not valid" : [...issue.path.map(String), issue.message].join(": ");
