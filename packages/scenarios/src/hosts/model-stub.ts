import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** A stranger's model: an OpenAI-compatible endpoint that plays a script. It shares nothing with the house but the dialect.
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
  readonly authorization: string | undefined;
  readonly model: string;
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
  const body = (await json(request)) as Pick<Asked, "model" | "messages">;
  const step = body.messages.filter(({ role }) => role === "assistant").length; // M1
  asked.push({ step, authorization: request.headers.authorization, model: body.model, messages: body.messages });
  const {
    say = `This is answer ${step}.`,
    calls = [],
    first,
  } = script[step] ?? { say: "There is nothing left to do." };
  await first?.();
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
