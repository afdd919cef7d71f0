/** From what an agent said to the value its task records.
 *  Order: native structured output, the whole text as JSON, the last json fence, the last balanced object or array. */

export type AgentAnswer =
  | { readonly kind: "value"; readonly value: unknown; readonly text: string }
  | { readonly kind: "no-json"; readonly text: string };

export function readAnswer(result: unknown): AgentAnswer {
  if (typeof result === "string") return fromText(result);
  const { output, object, experimental_output, text } = (result ?? {}) as Record<string, unknown>;
  const said = typeof text === "string" ? text : "";
  const native = [output, object, experimental_output].find((value) => typeof value === "object" && value !== null);
  if (native !== undefined) return { kind: "value", value: native, text: said || JSON.stringify(native) };
  return fromText(typeof output === "string" && said === "" ? output : said);
}

function fromText(text: string): AgentAnswer {
  const fences = [...text.matchAll(/```json\s*\n([\s\S]*?)```/g)].map((match) => match[1] ?? "");
  for (const candidate of [text, fences.at(-1), lastBalanced(text)]) {
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
