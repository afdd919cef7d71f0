import { SmoothError } from "@smooth/protocol/errors";
import { type OperatorInput, OperatorOutput } from "@smooth/protocol/operator";

/** JSON lines to and from the operator program. Everything the guest says is untrusted.
 *  N1. A line over the cap, or one that is not a known message, is dropped and counted; too many of them end the line.
 *  N2. Bytes are decoded as UTF-8 across chunk borders; invalid ones become U+FFFD, never an exception. */

const MAX_LINE_BYTES = 4 * 1024 * 1024;
const MAX_BAD_LINES = 50;

export interface OperatorLine {
  send(input: OperatorInput): void;
  /** Ends when the program ends; throws SANDBOX_FAILED when the guest talks garbage. */
  readonly outputs: AsyncIterable<OperatorOutput>;
}

/** The bytes of one exec: what `packages/vm` gives. */
export interface OperatorPipe {
  write(bytes: Uint8Array): void;
  readonly stdout: AsyncIterable<Uint8Array>;
}

export function openOperatorLine(pipe: OperatorPipe, onDropped: (reason: string) => void): OperatorLine {
  const encoder = new TextEncoder();
  return {
    send: (input) => pipe.write(encoder.encode(`${JSON.stringify(input)}\n`)),
    outputs: parseOutputs(pipe.stdout, onDropped),
  };
}

async function* parseOutputs(
  stdout: AsyncIterable<Uint8Array>,
  onDropped: (reason: string) => void,
): AsyncGenerator<OperatorOutput> {
  let bad = 0;
  for await (const line of linesOf(stdout)) {
    const output = parseLine(line);
    if (typeof output !== "string") {
      yield output;
      continue;
    }
    onDropped(output);
    bad += 1;
    if (bad > MAX_BAD_LINES)
      throw new SmoothError("SANDBOX_FAILED", `the operator program sent ${bad} unusable lines; the last: ${output}`); // N1
  }
}

function parseLine(line: string | null): OperatorOutput | string {
  if (line === null) return `a line is over ${MAX_LINE_BYTES} bytes`;
  try {
    const parsed = OperatorOutput.safeParse(JSON.parse(line));
    return parsed.success
      ? parsed.data
      : `unknown message: ${parsed.error.issues[0]?.path.join(".")} ${parsed.error.issues[0]?.message}`;
  } catch {
    return `not JSON: ${line.slice(0, 80)}`;
  }
}

/** Lines without their newline; null for one that was too long. Blank lines are skipped. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string | null> {
  const decoder = new TextDecoder(); // N2
  let rest = "";
  let skipping = false;
  for await (const chunk of chunks) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = pieces.pop() ?? "";
    for (const piece of pieces) {
      if (!skipping && piece.trim() !== "") yield piece.length > MAX_LINE_BYTES ? null : piece;
      skipping = false;
    }
    if (rest.length <= MAX_LINE_BYTES) continue;
    if (!skipping) yield null;
    skipping = true;
    rest = "";
  }
  if (!skipping && rest.trim() !== "") yield rest;
}
