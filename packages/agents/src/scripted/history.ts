/** What a chat request says has happened so far. A scripted persona has no memory but this: a resumed or repeated request
 *  gets the same turn. */

export interface PastCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Null while nobody answered it. */
  readonly result: string | null;
}

export interface History {
  /** The person's words, first to last. */
  readonly asked: readonly string[];
  readonly calls: readonly PastCall[];
  readonly tools: ReadonlySet<string>;
  /** Assistant messages so far. */
  readonly turns: number;
}

type Loose = Readonly<Record<string, unknown>>;

/** Reads an OpenAI chat-completions body; what it does not understand counts as absent. */
export function historyOf(body: unknown): History {
  const messages = listOf(looseOf(body)["messages"]);
  const results = new Map(
    messages
      .filter(({ role }) => role === "tool")
      .map((message) => [String(message["tool_call_id"]), textOf(message["content"])]),
  );
  const assistants = messages.filter(({ role }) => role === "assistant");
  return {
    asked: messages.filter(({ role }) => role === "user").map(({ content }) => textOf(content)),
    calls: assistants.flatMap((message) => listOf(message["tool_calls"])).map((call) => pastCall(call, results)),
    tools: new Set(listOf(looseOf(body)["tools"]).map((tool) => String(looseOf(tool["function"])["name"]))),
    turns: assistants.length,
  };
}

function pastCall(call: Loose, results: ReadonlyMap<string, string>): PastCall {
  const spoken = looseOf(call["function"]);
  return {
    name: String(spoken["name"]),
    args: parseObject(spoken["arguments"]),
    result: results.get(String(call["id"])) ?? null,
  };
}

function parseObject(text: unknown): Loose {
  try {
    return typeof text === "string" ? looseOf(JSON.parse(text)) : {};
  } catch {
    return {};
  }
}

const looseOf = (value: unknown): Loose => (value !== null && typeof value === "object" ? (value as Loose) : {});
const listOf = (value: unknown): Loose[] => (Array.isArray(value) ? value.map(looseOf) : []);

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return listOf(content)
    .map(({ text }) => (typeof text === "string" ? text : ""))
    .join("");
}
