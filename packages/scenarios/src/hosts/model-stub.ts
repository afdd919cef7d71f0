import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** A stranger's model: an endpoint that plays a script, in OpenAI's chat dialect or in Anthropic's, as it is asked. It shares
 *  nothing with the house but the dialect.
 *  M1. What it answers depends only on how many answers the conversation already holds: asked again, it says the same. */

export interface Step {
  readonly say?: string;
  readonly calls?: readonly ToolUse[];
  /** Awaited before the answer leaves: the operator waits for its model meanwhile. */
  readonly first?: () => Promise<void>;
}

export interface ToolUse {
  readonly tool: "bash" | "write";
  readonly args: Readonly<Record<string, unknown>>;
}

export const bash = (cmd: string): ToolUse => ({ tool: "bash", args: { cmd } });

export interface Asked {
  /** Which step this request was answered with. */
  readonly step: number;
  /** The headers that may carry a key. */
  readonly authorization: string | undefined;
  readonly apiKey: string | string[] | undefined;
  readonly model: string;
  readonly maxTokens: number | undefined;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

export interface ModelStub extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly Asked[];
}

export async function serveModel(script: readonly Step[]): Promise<ModelStub> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    answer(script, request, response, asked).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// oxlint-disable-next-line max-params
async function answer(
  script: readonly Step[],
  request: IncomingMessage,
  response: ServerResponse,
  asked: Asked[],
): Promise<void> {
  const body = (await json(request)) as Pick<Asked, "model" | "messages"> & { readonly max_tokens?: number };
  const step = body.messages.filter(({ role }) => role === "assistant").length; // M1
  const { authorization, "x-api-key": apiKey } = request.headers;
  const { model, messages, max_tokens: maxTokens } = body;
  asked.push({ step, authorization, apiKey, model, maxTokens, messages });
  const {
    say = `This is answer ${step}.`,
    calls = [],
    first,
  } = script[step] ?? { say: "There is nothing left to do." };
  await first?.();
  if (request.url?.endsWith("/messages")) return void response.end(anthropic(step, { say, calls }, response));
  const chunk = (delta: unknown, finish: string | null = null): void =>
    void response.write(
      `data: ${JSON.stringify({ id: `answer-${step}`, object: "chat.completion.chunk", model: body.model, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
    );
  response.writeHead(200, { "content-type": "text/event-stream" });
  chunk({ role: "assistant", content: say });
  calls.forEach(({ tool, args }, index) =>
    chunk({
      tool_calls: [
        {
          index,
          id: `call-${step}-${index}`,
          type: "function",
          function: { name: tool, arguments: JSON.stringify(args) },
        },
      ],
    }),
  );
  chunk({}, calls.length > 0 ? "tool_calls" : "stop");
  response.end("data: [DONE]\n\n");
}

/** The whole stream of one answer as Anthropic sends it. */
function anthropic(
  step: number,
  { say, calls }: Required<Pick<Step, "say" | "calls">>,
  response: ServerResponse,
): string {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const block = (index: number, content_block: object, delta: object): object[] => [
    { type: "content_block_start", index, content_block },
    { type: "content_block_delta", index, delta },
    { type: "content_block_stop", index },
  ];
  const events: readonly { readonly type?: string }[] = [
    { type: "message_start", message: { model: "stranger-1", usage: { input_tokens: 100, output_tokens: 1 } } },
    ...block(0, { type: "text", text: "" }, { type: "text_delta", text: say }),
    ...calls.flatMap(({ tool, args }, index) =>
      block(
        index + 1,
        { type: "tool_use", id: `call-${step}-${index}`, name: tool, input: {} },
        { type: "input_json_delta", partial_json: JSON.stringify(args) },
      ),
    ),
    {
      type: "message_delta",
      delta: { stop_reason: calls.length > 0 ? "tool_use" : "end_turn" },
      usage: { output_tokens: 9 },
    },
    { type: "message_stop" },
  ];
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
}
