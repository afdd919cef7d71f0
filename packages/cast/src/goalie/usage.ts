/** Reads token counts out of a model's answer as it streams by, in any of the dialects; the guest's own count is not trusted. */

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface UsageReader {
  push(chunk: string): void;
  /** Null when the answer carried no counts. */
  end(): Usage | null;
}

const MAX_KEPT = 8 * 1024 * 1024;

export function readUsage(): UsageReader {
  let kept = "";
  let input: number | null = null;
  let output: number | null = null;
  const take = (text: string): void => {
    if (!text.includes('"usage"')) return;
    const found = usageOf(parseJson(text.replace(/^data:/, "")));
    input = found.input ?? input;
    output = found.output ?? output;
  };
  return {
    push(chunk) {
      kept = (kept + chunk).slice(0, MAX_KEPT);
      // A JSON body is read whole at the end; of an event stream only the open line is kept.
      if (kept.trimStart().startsWith("{")) return;
      const lines = kept.split("\n");
      kept = lines.pop() ?? "";
      lines.forEach(take);
    },
    end() {
      take(kept);
      return input === null && output === null ? null : { inputTokens: input ?? 0, outputTokens: output ?? 0 };
    },
  };
}

/** Anthropic counts them apart; they were sent all the same. */
const CACHE_READ = "cache_read_input_tokens";
const CACHE_WRITTEN = "cache_creation_input_tokens";

/** Top level (OpenAI, Anthropic delta), `message` (Anthropic start), `response` (Responses). */
function usageOf(value: unknown): { input: number | null; output: number | null } {
  const usage =
    field(value, "usage") ?? field(field(value, "message"), "usage") ?? field(field(value, "response"), "usage");
  const cached = [CACHE_READ, CACHE_WRITTEN].reduce((sum, name) => sum + (count(usage, [name]) ?? 0), 0);
  const input = count(usage, ["prompt_tokens", "input_tokens"]);
  return {
    input: input === null ? null : input + cached,
    output: count(usage, ["completion_tokens", "output_tokens"]),
  };
}

function count(usage: unknown, names: readonly string[]): number | null {
  const value = names.map((name) => field(usage, name)).find((candidate) => typeof candidate === "number");
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
