/** What an attempt remembers before its agent is asked: facts as text before the prompt, a thread as earlier turns.
 *  It never fails the attempt: what went wrong is handed to `note`. */
import { SmoothError } from "@smooth/protocol/errors";
import { errorInfo } from "../run/failure.ts";
import type { ErrorInfo } from "../run/events.ts";
import type { ConversationMessage } from "../task/body.ts";
import { namespaceToString } from "./namespace.ts";
import type { MemoryFact, MemoryMessage, MemoryNamespace, MemoryStore } from "./port.ts";

/** A Task's `memory` prop. */
export interface TaskMemoryConfig<Namespace = MemoryNamespace> {
  /** Facts that match `query` (default: the prompt) are put before the prompt. The namespace defaults to the workflow's own. */
  readonly recall?: { readonly namespace?: Namespace; readonly query?: string; readonly topK?: number } | undefined;
  /** The recorded output becomes a fact; the key defaults to the task's id. */
  readonly remember?: { readonly namespace?: Namespace; readonly key?: string } | undefined;
  /** The agent sees the thread's last messages as earlier turns; its prompt and answer are added to the thread. */
  readonly threadId?: string | undefined;
}

export interface Recalled {
  readonly prompt: string;
  readonly conversation: readonly ConversationMessage[];
}

export type RecallNote =
  | { readonly kind: "recalled"; readonly namespace: string; readonly keys: readonly string[] }
  | { readonly kind: "failed"; readonly error: ErrorInfo };

export interface RecallDeps {
  readonly memory: MemoryStore | null;
  /** Where a workflow's own facts are. */
  readonly ownNamespace: MemoryNamespace;
  readonly note: (note: RecallNote) => void;
}

/** A longer conversation is the business of the processors. */
const THREAD_TURNS = 50;

export async function recall(config: TaskMemoryConfig, prompt: string, deps: RecallDeps): Promise<Recalled> {
  const { memory, ownNamespace, note } = deps;
  const nothing: Recalled = { prompt, conversation: [] };
  if (!config.recall && config.threadId === undefined) return nothing;
  try {
    if (!memory) throw noMemory();
    const { namespace = ownNamespace, query = prompt, topK } = config.recall ?? {};
    const facts = config.recall ? await memory.recall(namespace, query, topK) : [];
    const turns = config.threadId === undefined ? [] : await memory.listMessages(config.threadId, THREAD_TURNS);
    if (config.recall)
      note({ kind: "recalled", namespace: namespaceToString(namespace), keys: facts.map(({ key }) => key) });
    return { prompt: facts.length === 0 ? prompt : `${asText(facts)}\n\n${prompt}`, conversation: turns.map(asTurn) };
  } catch (error) {
    note({ kind: "failed", error: errorInfo(error) });
    return nothing;
  }
}

export const noMemory = (): SmoothError =>
  new SmoothError("CONFIG_INVALID", "this run has no memory store; start it with `memory`");

const asText = (facts: readonly MemoryFact[]): string =>
  [
    "What is remembered from earlier runs:",
    ...facts.map(({ key, value }) => `- ${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`),
  ].join("\n");

/** Agents know two speakers; a summary is told to them. */
const asTurn = ({ role, content }: MemoryMessage): ConversationMessage =>
  role === "system" ? { role: "user", content: `Of what was said before: ${content}` } : { role, content };
