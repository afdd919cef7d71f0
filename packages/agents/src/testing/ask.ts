import type { GenerateArgs, ReportedUsage } from "@smooth/engine/task";
import { z } from "zod";

/** What the engine hands to an agent, for tests that ask one without an engine. */
export function asking(over: Partial<GenerateArgs> = {}) {
  const usage: ReportedUsage[] = [];
  const beats: unknown[] = [];
  const words: string[] = [];
  const sessions: GenerateArgs["session"][] = [];
  const signal = over.signal ?? new AbortController().signal;
  const args: GenerateArgs = {
    runId: "run-1",
    nodeId: "write",
    iteration: 0,
    attempt: 1,
    idempotencyKey: "run-1:write::0",
    signal,
    abortSignal: signal,
    worktree: null,
    heartbeat: (payload) => void beats.push(payload),
    lastHeartbeat: null,
    ask: () => Promise.reject(new Error("nobody is there")),
    prompt: "write",
    outputSchema: z.object({ text: z.string() }),
    conversation: [],
    allowTools: null,
    session: null,
    reportSession: (session) => void sessions.push(session),
    reportUsage: (report) => void usage.push(report),
    onStdout: (text) => void words.push(text),
    onStderr: (text) => void words.push(`! ${text}`),
    ...over,
  };
  return { args, usage, beats, words, sessions };
}
