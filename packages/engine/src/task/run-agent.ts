/** One attempt with one agent: ask, read the answer, ask again when it is not what the schema wants.
 *  A1. The author's prompt reaches the agent byte for byte; the wanted JSON Schema is added after it.
 *  A2. At most one "JSON only" follow-up and three corrections, in the same conversation; they are not retries. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import type { AgentLike, ConversationMessage, TaskContext } from "./body.ts";
import { readAnswer } from "./agent-output.ts";

const MAX_CORRECTIONS = 3;

export interface AgentTask {
  readonly agent: AgentLike;
  readonly prompt: string;
  readonly schema: z.ZodType;
}

/** Resolves with the parsed output; rejects with what the agent threw, or with INVALID_OUTPUT. */
export async function runAgent({ agent, prompt, schema }: AgentTask, context: TaskContext): Promise<unknown> {
  const conversation: ConversationMessage[] = [];
  let ask = `${prompt}\n\n${wanted(schema)}`;
  let askedForJson = false;
  let problem = "";
  for (let corrections = 0; corrections <= MAX_CORRECTIONS;) {
    const answer = readAnswer(
      await agent.generate({
        ...context,
        prompt: ask,
        abortSignal: context.signal,
        outputSchema: schema,
        conversation: [...conversation],
      }),
    );
    conversation.push({ role: "user", content: ask }, { role: "assistant", content: answer.text });
    if (answer.kind === "no-json" && askedForJson) break;
    if (answer.kind === "no-json") {
      askedForJson = true;
      problem = "the answer holds no JSON";
      ask = `Your answer holds no JSON. Answer again with the JSON only.\n\n${wanted(schema)}`;
      continue;
    }
    const parsed = await schema.safeParseAsync(answer.value);
    if (parsed.success) return parsed.data;
    problem = z.prettifyError(parsed.error);
    corrections += 1;
    ask = `Your JSON does not match the schema:\n${problem}\nAnswer again with the corrected JSON only.`;
  }
  throw new SmoothError("INVALID_OUTPUT", `the agent's output does not match the schema: ${problem}`, {
    details: { nodeId: context.nodeId },
  });
}

const wanted = (schema: z.ZodType): string =>
  `Answer with JSON that matches this JSON Schema:\n${JSON.stringify(z.toJSONSchema(schema, { unrepresentable: "any" }))}`;
