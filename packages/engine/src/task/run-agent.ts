/** One attempt with one agent: ask, read the answer, ask again when it is not what the schema wants.
 *  A1. The author's prompt reaches the agent byte for byte; the wanted JSON Schema is added after it.
 *  A2. At most one "JSON only" follow-up and three corrections, in the same conversation; they are not retries. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import type { JsonValue } from "../outputs/json.ts";
import { answerSchema } from "./answer-schema.ts";
import { askAgent, type AskPorts } from "./ask-agent.ts";
import type { AgentLike, ConversationMessage, TaskContext } from "./body.ts";
import { describe } from "./peek.ts";

const MAX_CORRECTIONS = 3;

export interface AgentTask extends AskPorts {
  readonly agent: AgentLike;
  readonly prompt: string;
  readonly schema: z.ZodType;
  /** Earlier turns of a remembered thread. */
  readonly conversation: readonly ConversationMessage[];
  readonly allowTools: readonly string[] | null;
  readonly session: JsonValue;
  readonly reportSession: (session: JsonValue) => void;
}

/** Resolves with the parsed output; rejects with what the agent threw, or with INVALID_OUTPUT. */
export async function runAgent(task: AgentTask, context: TaskContext): Promise<unknown> {
  const { agent, prompt, schema, allowTools, session, reportSession } = task;
  const fixed = { ...context, abortSignal: context.signal, outputSchema: schema, allowTools, session, reportSession };
  const conversation: ConversationMessage[] = [...task.conversation];
  let ask = `${prompt}\n\n${wanted(schema)}`;
  let askedForJson = false;
  let problem = "";
  for (let corrections = 0; corrections <= MAX_CORRECTIONS;) {
    const { answer, native } = await askAgent(agent, { ...fixed, prompt: ask, conversation: [...conversation] }, task);
    conversation.push({ role: "user", content: ask }, { role: "assistant", content: answer.text, ...native });
    if (answer.kind === "no-json" && askedForJson) break;
    if (answer.kind === "no-json") {
      askedForJson = true;
      problem = "the answer holds no JSON";
      ask = `Your answer holds no JSON. Answer again with the JSON only.\n\n${wanted(schema)}`;
      continue;
    }
    const parsed = await parse(schema, answer.value);
    if (parsed.kind === "ok") return parsed.value;
    problem = parsed.problem;
    corrections += 1;
    ask = `Your JSON does not match the schema:\n${problem}\nAnswer again with the corrected JSON only.`;
  }
  throw new SmoothError("INVALID_OUTPUT", `the agent's output does not match the schema: ${problem}`, {
    details: { nodeId: context.nodeId },
  });
}

type Parsed = { readonly kind: "ok"; readonly value: unknown } | { readonly kind: "wrong"; readonly problem: string };

/** An object of the agent may have getters that throw while the schema reads it. */
async function parse(schema: z.ZodType, value: unknown): Promise<Parsed> {
  try {
    const parsed = await schema.safeParseAsync(value);
    return parsed.success
      ? { kind: "ok", value: parsed.data }
      : { kind: "wrong", problem: z.prettifyError(parsed.error).slice(0, MAX_PROBLEM_CHARS) };
  } catch (error) {
    return { kind: "wrong", problem: `it cannot be read: ${describe(error).slice(0, MAX_PROBLEM_CHARS)}` };
  }
}

const MAX_PROBLEM_CHARS = 10_000;

const wanted = (schema: z.ZodType): string =>
  `Answer with JSON that matches this JSON Schema:\n${JSON.stringify(answerSchema(schema))}`;
