import type { Checkpoint } from "@smooth/cast/groove";
import type { ChatMessage } from "@smooth/protocol/operator";
import type { Pearl } from "@smooth/protocol/pearls";
import type { EvidenceRow, Prepared } from "./work.ts";

/** What an operator is told when a turn begins. */

export interface Opening {
  readonly pearl: Pearl;
  readonly prepared: Prepared;
  /** What the last verify printed; null in the first turn. */
  readonly feedback: EvidenceRow | null;
  readonly iteration: number;
  readonly earlier: Pick<Checkpoint, "conversation" | "iteration"> | null;
}

/** A turn that a crash cut off goes on where it was; a new one begins with the task, or with what the last verify said. */
export function openingOf({ pearl, prepared, feedback, iteration, earlier }: Opening): ChatMessage[] {
  const conversation = [...(earlier?.conversation ?? [])];
  if (conversation.length > 0 && earlier?.iteration === iteration) return conversation;
  return [
    ...conversation,
    { role: "user", content: feedback === null ? taskOf(pearl, prepared) : feedbackOf(feedback) },
  ];
}

/** The task verbatim; what counts as done is said once. */
function taskOf({ title, description }: Pearl, { verify }: Prepared): string {
  const done = verify === null ? "" : `\n\nThe work is done when this command ends with exit code 0: ${verify}`;
  return `${title}${description === "" ? "" : `\n\n${description}`}${done}`;
}

function feedbackOf({ command, exitCode, output }: EvidenceRow): string {
  return `Not done yet. I ran \`${command}\` and it ended with ${exitCode === null ? "no exit code" : `exit code ${exitCode}`}:\n\n${output.slice(-8_000)}`;
}
