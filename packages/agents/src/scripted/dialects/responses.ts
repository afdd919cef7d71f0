import {
  DEMO_MODEL,
  listOf,
  looseOf,
  halvesOf,
  parseObject,
  piecesOf,
  textOf,
  wordsOf,
  type Dialect,
  type Loose,
  type Sent,
  type StreamEvent,
} from "./dialect.ts";

/** OpenAI responses. */
export const responses: Dialect = {
  path: "/v1/responses",
  historyOf(body) {
    const items = inputOf(body);
    const results = new Map(
      items
        .filter(({ type }) => type === "function_call_output")
        .map(({ call_id, output }) => [String(call_id), textOf(output)]),
    );
    return {
      asked: items.filter(({ role }) => role === "user").map(({ content }) => textOf(content)),
      calls: items
        .filter(({ type }) => type === "function_call")
        .map(({ name, arguments: args, call_id }) => ({
          name: String(name),
          args: parseObject(args),
          result: results.get(String(call_id)) ?? null,
        })),
      tools: new Set(listOf(looseOf(body)["tools"]).map(({ name }) => String(name))),
      turns: turnsIn(items),
    };
  },
  complaint(body) {
    const items = inputOf(body);
    const calls = new Set(items.filter(({ type }) => type === "function_call").map(({ call_id }) => call_id));
    const stray = items.find(({ type, call_id }) => type === "function_call_output" && !calls.has(call_id));
    return stray ? `No tool call found for function call output with call_id ${String(stray["call_id"])}.` : null;
  },
  whole: (sent) => whole(sent, "completed"),
  stream(sent) {
    const { id } = sent;
    const events = [
      numbered("response.created", { response: { ...head(id), status: "in_progress", output: [] } }),
      ...outputOf(sent).flatMap(itemEvents),
      numbered("response.completed", { response: whole(sent, "completed") }),
    ];
    return events.map((make, at) => make(at));
  },
  error: (status, message) => ({
    error: { message, type: "demo", code: status === 429 ? "rate_limit_exceeded" : null },
  }),
};

/** A plain string is one message of the user. */
function inputOf(body: unknown): Loose[] {
  const { input } = looseOf(body);
  return typeof input === "string" ? [{ role: "user", content: input }] : listOf(input);
}

/** Items of the assistant that stand together are one turn. */
function turnsIn(items: readonly Loose[]): number {
  const isAssistant = (item: Loose | undefined): boolean =>
    item?.["role"] === "assistant" || item?.["type"] === "function_call" || item?.["type"] === "reasoning";
  return items.filter((item, at) => isAssistant(item) && !isAssistant(items[at - 1])).length;
}

const head = (id: string): Loose => ({ id: `resp_${id}`, object: "response", created_at: 0, model: DEMO_MODEL });

function outputOf({ id, turn, spoilt }: Sent): Loose[] {
  const content = [{ type: "output_text", text: turn.text, annotations: [] }];
  const message = { type: "message", id: `msg_${id}`, role: "assistant", status: "completed", content };
  return [
    ...(turn.text === "" ? [] : [message]),
    ...turn.calls.map(({ name, args }, index) => ({
      type: "function_call",
      id: `fc_${id}_${index}`,
      call_id: `call_${id}_${index}`,
      name,
      arguments: piecesOf(args, spoilt && index === 0).join(""),
      status: "completed",
    })),
  ];
}

const whole = (sent: Sent, status: string): Loose => ({
  ...head(sent.id),
  status,
  error: null,
  incomplete_details: null,
  output: outputOf(sent),
  usage: {
    input_tokens: sent.inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: sent.outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: sent.inputTokens + sent.outputTokens,
  },
});

type Numbered = (sequence_number: number) => StreamEvent;

const numbered =
  (type: string, more: object): Numbered =>
  (sequence_number) => ({ event: type, data: JSON.stringify({ type, sequence_number, ...more }) });

function itemEvents(item: Loose, output_index: number): readonly Numbered[] {
  const at = { output_index, item_id: item["id"] };
  if (item["type"] === "message") {
    const text = textOf(item["content"]);
    return [
      numbered("response.output_item.added", { output_index, item: { ...item, status: "in_progress", content: [] } }),
      numbered("response.content_part.added", { ...at, content_index: 0, part: { type: "output_text", text: "" } }),
      ...wordsOf(text).map((delta) => numbered("response.output_text.delta", { ...at, content_index: 0, delta })),
      numbered("response.output_text.done", { ...at, content_index: 0, text }),
      numbered("response.output_item.done", { output_index, item }),
    ];
  }
  const args = String(item["arguments"]);
  return [
    numbered("response.output_item.added", { output_index, item: { ...item, arguments: "", status: "in_progress" } }),
    ...halvesOf(args).map((delta) => numbered("response.function_call_arguments.delta", { ...at, delta })),
    numbered("response.function_call_arguments.done", { ...at, arguments: args }),
    numbered("response.output_item.done", { output_index, item }),
  ];
}
