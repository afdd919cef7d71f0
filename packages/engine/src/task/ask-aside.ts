/** One question to an agent outside of a task: judges and summarizers. Rejects with what the agent throws. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import { readAnswer, type AgentAnswer } from "./agent-output.ts";
import type { AgentLike } from "./body.ts";

export interface AsideQuestion {
  readonly prompt: string;
  readonly signal: AbortSignal;
  /** Says in the agent's own records what this was for. */
  readonly about: string;
  readonly outputSchema?: z.ZodType | undefined;
}

export async function askAside(agent: AgentLike, question: AsideQuestion): Promise<AgentAnswer> {
  const { prompt, signal, about, outputSchema = z.string() } = question;
  signal.throwIfAborted();
  const answer = await agent.generate({
    prompt,
    signal,
    abortSignal: signal,
    outputSchema,
    conversation: [],
    allowTools: null,
    session: null,
    reportSession: () => {},
    runId: about,
    nodeId: about,
    iteration: 0,
    attempt: 1,
    idempotencyKey: about,
    worktree: null,
    lastHeartbeat: null,
    heartbeat: () => {},
    ask: () => Promise.reject(new SmoothError("INVALID_INPUT", "only the agent of a task asks people")),
    // The judge's tokens are not the task's: the aspects' budgets are about tasks.
    reportUsage: () => {},
    onStdout: () => {},
    onStderr: () => {},
  });
  return readAnswer(answer);
}
