import process from "node:process";
import { type AgentLike, type GenerateArgs, quotaError } from "@smooth/engine/task";
import { SmoothError } from "@smooth/protocol/errors";
import type { CliCall, CliEvent, CliKind } from "./cli-kind.ts";
import { runCli } from "./cli-process.node.ts";

/** An agent of a task that is a command-line program.
 *  C1. A correction goes on in the program's own session; so does an attempt whose engine died, or whose session a person had
 *      in hand. An attempt after a failure starts a new one: the session may be what failed.
 *  C2. The session is reported as soon as the program names it; every output is proof of life, and what it says can be watched.
 *  C3. Nothing of the program outlives the answer: abort and timeouts end its whole process group. */

export interface CliAgentOptions {
  readonly id?: string;
  readonly model?: string;
  /** Told before the prompt; `instructions` is its other name. */
  readonly systemPrompt?: string;
  readonly instructions?: string;
  /** Default: this process's. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default true. */
  readonly yolo?: boolean;
  readonly timeoutMs?: number;
  /** Silence on stdout and stderr, at most. */
  readonly idleTimeoutMs?: number;
  /** Of the answer; what is longer is cut. */
  readonly maxOutputBytes?: number;
  readonly extraArgs?: readonly string[];
}

export interface CliAgent extends AgentLike {
  readonly id: string;
  readonly cliEngine: string;
  takeOver(sessionId: string): readonly string[];
}

const MAX_OUTPUT_BYTES = 10_000_000;

export function cliAgent(kind: CliKind, options: CliAgentOptions = {}): CliAgent {
  if (options.systemPrompt !== undefined && options.instructions !== undefined)
    throw new SmoothError(
      "AGENT_CONFIG_INVALID",
      `${kind.name}: systemPrompt and instructions are one thing; give one`,
    );
  return {
    id: options.id ?? kind.name,
    cliEngine: kind.name,
    takeOver: (sessionId) => kind.takeOver(sessionId),
    generate: (args) => answer(kind, options, args),
  };
}

async function answer(kind: CliKind, options: CliAgentOptions, args: GenerateArgs): Promise<unknown> {
  const heard = new Heard(sessionOf(args), options.maxOutputBytes ?? MAX_OUTPUT_BYTES);
  const command = kind.command(callOf(options, args, heard.session));
  const read = kind.reader();
  try {
    const end = await runCli({
      program: kind.program,
      args: command.args,
      stdin: command.stdin,
      cwd: args.worktree?.path ?? options.cwd ?? process.cwd(),
      env: { ...process.env, ...options.env, ...command.env },
      timeoutMs: options.timeoutMs ?? null,
      idleTimeoutMs: options.idleTimeoutMs ?? null,
      signal: args.signal,
      onLine: (line) => {
        for (const event of read(line)) heard.take(event, args);
      },
      onError: (text) => args.onStderr(text),
      onOutput: () => args.heartbeat(), // C2
    });
    heard.throwFailure();
    if (end.code !== 0)
      throw new Error(
        `${kind.program} ended with ${end.code ?? end.signal}: ${end.stderr.trim() || "no word on stderr"}`,
      );
    return { text: heard.text, responseMessages: [{ [SESSION]: heard.session }] };
  } catch (error) {
    if (!args.signal.aborted) args.reportSession(null); // C1: who aborts may want to go on with it
    throw error;
  }
}

const SESSION = "cliSession";

/** C1. The session of the conversation, else the one an earlier attempt left behind. */
function sessionOf({ conversation, session }: GenerateArgs): string | null {
  const left = [conversation.at(-1)?.native?.[0], session].map(
    (one) => (one as Readonly<Record<string, unknown>> | null | undefined)?.[SESSION],
  );
  return left.find((id) => typeof id === "string") ?? null;
}

/** Without a session the earlier turns are told again. */
function callOf(options: CliAgentOptions, args: GenerateArgs, sessionId: string | null): CliCall {
  const told =
    sessionId === null ? args.conversation.map(({ role, content }) => `${role}: ${content}\n\n`).join("") : "";
  return {
    prompt: told + args.prompt,
    systemPrompt: options.systemPrompt ?? options.instructions ?? null,
    model: options.model ?? null,
    yolo: options.yolo ?? true,
    sessionId,
    allowTools: args.allowTools,
    extraArgs: options.extraArgs ?? [],
  };
}

/** What one call has told so far. */
class Heard {
  readonly #maxChars: number;
  #failure: Error | null = null;
  session: string | null;
  text = "";

  constructor(session: string | null, maxChars: number) {
    this.session = session;
    this.#maxChars = maxChars;
  }

  take(event: CliEvent, args: GenerateArgs): void {
    switch (event.kind) {
      case "session":
        this.session = event.id;
        return args.reportSession({ [SESSION]: event.id }); // C2
      case "text":
        args.onStdout(event.text);
        this.text = (this.text + event.text).slice(0, this.#maxChars);
        return;
      case "answer":
        args.onStdout(event.text);
        this.text = event.text.slice(0, this.#maxChars);
        return;
      case "usage":
        return args.reportUsage(event.usage);
      case "failed":
        this.#failure =
          event.why === "config" ? new SmoothError("AGENT_CONFIG_INVALID", event.message) : new Error(event.message);
        return;
      case "quota":
        this.#failure = quotaError(event.message, event.retryAfterMs);
        return;
    }
  }

  throwFailure(): void {
    if (this.#failure) throw this.#failure;
  }
}
