/** From what an agent said to the value its task records.
 *  Order: native structured output, the whole text as JSON, the last json fence, the last balanced object or array.
 *  O1. Whatever the agent hands back, reading it takes time in proportion to its length and throws only INVALID_OUTPUT. */
import { SmoothError } from "@smooth/protocol/errors";
import { peek, peekText, writeJson } from "./peek.ts";

export type AgentAnswer =
  | { readonly kind: "value"; readonly value: unknown; readonly text: string }
  | { readonly kind: "no-json"; readonly text: string };

/** Far more than a model says at once; what is longer is a mistake that would cost memory again and again. */
const MAX_ANSWER_CHARS = 10_000_000;

export function readAnswer(result: unknown): AgentAnswer {
  if (typeof result === "string") return fromText(result);
  const said = peekText(result, "text") ?? "";
  const outputs = ["output", "object", "experimental_output"].map((key) => peek(result, key));
  const native = outputs.find((value) => typeof value === "object" && value !== null);
  if (native !== undefined)
    return { kind: "value", value: native, text: said || (writeJson(native) ?? "[an object JSON cannot write]") };
  return fromText(typeof outputs[0] === "string" && said === "" ? outputs[0] : said);
}

function fromText(text: string): AgentAnswer {
  if (text.length > MAX_ANSWER_CHARS)
    throw new SmoothError(
      "INVALID_OUTPUT",
      `the agent's answer has ${text.length} characters; the limit is ${MAX_ANSWER_CHARS}`,
    );
  for (const find of [(whole: string) => whole, lastFence, lastBalanced]) {
    const candidate = find(text);
    const value = candidate === undefined ? undefined : parseObject(candidate);
    if (value !== undefined) return { kind: "value", value, text };
  }
  return { kind: "no-json", text };
}

function parseObject(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined; // not JSON is an answer here, not an error
  }
}

/** By indexOf: a regular expression would look for the end of every fence that has none. */
function lastFence(text: string): string | undefined {
  let last: string | undefined;
  for (let open = text.indexOf("```json"); open >= 0;) {
    const from = open + "```json".length;
    const close = text.indexOf("```", from);
    if (close < 0) return last;
    last = text.slice(from, close);
    open = text.indexOf("```json", close + 3);
  }
  return last;
}

/** The last `{…}` or `[…]` at depth 0 that closes, skipping over strings; one pass. */
function lastBalanced(text: string): string | undefined {
  const opens: number[] = [];
  let last: string | undefined;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted) {
      if (char === "\\") at += 1;
      else if (char === '"') quoted = false;
    } else if (char === '"' && opens.length > 0) quoted = true;
    else if (char === "{" || char === "[") opens.push(at);
    else if ((char === "}" || char === "]") && opens.length > 0) {
      const from = opens.pop() ?? 0;
      if (opens.length === 0) last = text.slice(from, at + 1);
    }
  }
  return last;
}
