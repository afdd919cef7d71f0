/** One question to one agent, in the words it understands.
 *  K1. Tokens count once, whether reported on the way or with the result, also when the answer is of no use.
 *  K2. An agent of the AI SDK (`ToolLoopAgent`) is given messages, so that a correction stays in its conversation, and each of
 *      its steps is a report of tokens and of words, and proof of life.
 *  K3. What an agent throws is translated into what it means for the run: see agent-failure.ts. */
import { agentFailure } from "./agent-failure.ts";
import { readAnswer, type AgentAnswer } from "./agent-output.ts";
import type { WordStream } from "./agent-words.ts";
import type { AgentLike, ConversationMessage, GenerateArgs } from "./body.ts";
import { peek, peekText } from "./peek.ts";
import { readUsage, usageOf, type TokenUsage } from "./usage.ts";

export interface AskPorts {
  readonly onUsage: (usage: TokenUsage) => void;
  readonly onWords: (stream: WordStream, text: string) => void;
  readonly nowMs: () => number;
}

export interface Turn {
  readonly answer: AgentAnswer;
  readonly native: Pick<ConversationMessage, "native">;
}

export async function askAgent(
  agent: AgentLike,
  question: Omit<GenerateArgs, "reportUsage" | "onStdout" | "onStderr">,
  { onUsage, onWords, nowMs }: AskPorts,
): Promise<Turn> {
  let reported = false;
  const take = (usage: TokenUsage | null): void => {
    if (usage && !question.signal.aborted) onUsage(usage);
  };
  const reportUsage: GenerateArgs["reportUsage"] = (usage) => {
    reported = true;
    take(readUsage(usage));
  };
  const talk = {
    onStdout: (text: string) => onWords("stdout", text),
    onStderr: (text: string) => onWords("stderr", text),
  };
  try {
    const result = await generate(agent, { ...question, ...talk, reportUsage });
    if (!reported) take(usageOf(result)); // K1
    return { answer: readAnswer(result), native: nativeTurn(result) };
  } catch (error) {
    if (!reported) take(usageOf(error)); // K1
    throw agentFailure(error, nowMs()); // K3
  }
}

/** K2 */
function generate(agent: AgentLike, args: GenerateArgs): Promise<unknown> {
  if (peek(agent, "version") !== "agent-v1") return agent.generate(args);
  const { prompt, conversation, abortSignal, reportUsage, allowTools, onStdout } = args;
  const spoken = conversation.flatMap(({ role, content, native }) => native ?? [{ role, content }]);
  const call = {
    messages: [...spoken, { role: "user", content: prompt }],
    abortSignal,
    ...(allowTools && { activeTools: allowTools }),
    onStepFinish: (step: unknown) => {
      onStdout(peekText(step, "text") ?? "");
      const usage = usageOf(step);
      if (usage) reportUsage(flat(usage));
    },
  };
  return agent.generate(call as unknown as GenerateArgs);
}

const flat = ({ cacheReadTokens, cacheWriteTokens, reasoningTokens, model, costUsd, ...usage }: TokenUsage) => ({
  ...usage,
  inputTokenDetails: { cacheReadTokens, cacheWriteTokens },
  outputTokenDetails: { reasoningTokens },
  ...(model !== null && { model }),
  ...(costUsd !== null && { costUsd }),
});

/** The AI SDK's own record of the turn; later turns of the conversation need the tool calls in it. */
function nativeTurn(result: unknown): Turn["native"] {
  const messages = peek(result, "responseMessages") ?? peek(peek(result, "response"), "messages");
  return Array.isArray(messages) && messages.length > 0 ? { native: messages as readonly unknown[] } : {};
}
