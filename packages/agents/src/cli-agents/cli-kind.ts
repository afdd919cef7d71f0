import type { ReportedUsage } from "@smooth/engine/task";

/** What an agent that is a command-line program has to say about itself; everything else is the same for all (cli-agent). */

export interface CliCall {
  /** Byte for byte as the task wrote it. */
  readonly prompt: string;
  readonly systemPrompt: string | null;
  readonly model: string | null;
  /** Skip the program's own questions for permission. */
  readonly yolo: boolean;
  /** The program's own session to go on with; null: a new one. */
  readonly sessionId: string | null;
  /** Names of the only tools it may use; null: its own choice. */
  readonly allowTools: readonly string[] | null;
  readonly extraArgs: readonly string[];
}

export interface CliCommand {
  readonly args: readonly string[];
  readonly stdin: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What a program tells on its way. */
export type CliEvent =
  /** Its own name for this conversation: a later call or a person can go on with it. */
  | { readonly kind: "session"; readonly id: string }
  /** A part of the answer. */
  | { readonly kind: "text"; readonly text: string }
  /** The whole answer, in place of the parts before it. */
  | { readonly kind: "answer"; readonly text: string }
  | { readonly kind: "usage"; readonly usage: ReportedUsage }
  /** It gives up. `config`: it will not work in this run at all. */
  | { readonly kind: "failed"; readonly why: "config" | "other"; readonly message: string }
  /** Its provider refuses it until later. */
  | { readonly kind: "quota"; readonly message: string; readonly retryAfterMs: number };

export interface CliKind {
  readonly name: string;
  /** Looked up on PATH. */
  readonly program: string;
  command(call: CliCall): CliCommand;
  /** A reader of one call's stdout, line by line; a line it does not know is nothing. */
  reader(): (line: string) => readonly CliEvent[];
  /** The command a person types to take the session over. */
  takeOver(sessionId: string): readonly string[];
}
