/** Maintenance of a memory store, run when its owner likes: `await TokenLimiter(4000).process(store)`.
 *  The names are those of the documented API. Each works on every thread, or removes what is past its time. */
import { checkCount, checkNumber } from "@smooth/protocol/numbers";
import { askAside } from "../task/ask-aside.ts";
import type { AgentLike } from "../task/body.ts";
import type { MemoryMessage, MemoryStore, PlacedMessage } from "./port.ts";

export interface MemoryProcessor {
  readonly name: string;
  process(store: MemoryStore): Promise<void>;
}

/** Removes facts past their time to live. */
export const TtlGarbageCollector = (): MemoryProcessor => ({
  name: "ttl-gc",
  process: async (store) => void (await store.deleteExpired()),
});

/** A token is about four letters of English text, and about one of what is not written in ASCII. */
const tokensOf = ({ content }: MemoryMessage): number => {
  const others = content.match(/\P{ASCII}/gu)?.length ?? 0;
  return Math.ceil(content.replaceAll(/\P{ASCII}/gu, "").length / 4) + others;
};

/** The longest end of a conversation that fits; the last message always stays. */
function lastThatFit(messages: readonly PlacedMessage[], maxTokens: number): number {
  let tokens = 0;
  for (let at = messages.length - 1; at >= 0; at -= 1) {
    const message = messages[at];
    tokens += message ? tokensOf(message) : 0;
    if (tokens > maxTokens && at < messages.length - 1) return at + 1;
  }
  return 0;
}

/** Forgets the oldest messages of each thread until the rest is at most `maxTokens`. Throws INVALID_INPUT. */
export function TokenLimiter(maxTokens: number): MemoryProcessor {
  checkCount("maxTokens of TokenLimiter", maxTokens);
  return {
    name: "token-limiter",
    async process(store) {
      for (const threadId of await store.threads()) {
        const messages = await store.getMessages(threadId);
        const last = messages[lastThatFit(messages, maxTokens) - 1];
        if (last) await store.replaceMessages(threadId, last.seq, []);
      }
    },
  };
}

export interface SummarizerOptions {
  /** Messages at the end of a thread that stay as they are; default 10. */
  readonly keepLast?: number;
  /** Stops the agent. */
  readonly signal?: AbortSignal;
}

/** Puts one system message with the agent's summary where the older messages of a thread stood. What was said meanwhile stays:
 *  the summary replaces exactly what it was made from, or nothing. Throws INVALID_INPUT. */
export function Summarizer(agent: AgentLike, options: SummarizerOptions = {}): MemoryProcessor {
  const { keepLast = 10, signal = new AbortController().signal } = options;
  checkNumber("keepLast of Summarizer", keepLast, { least: 0, whole: true });
  return {
    name: "summarizer",
    async process(store) {
      for (const threadId of await store.threads()) {
        const messages = await store.getMessages(threadId);
        const old = messages.slice(0, Math.max(0, messages.length - keepLast));
        const last = old.at(-1);
        if (!last || old.length < 2) continue;
        const content = await summaryOf(old, { agent, signal, threadId });
        if (content !== "") await store.replaceMessages(threadId, last.seq, [{ role: "system", content }]);
      }
    },
  };
}

interface Summary {
  readonly agent: AgentLike;
  readonly signal: AbortSignal;
  readonly threadId: string;
}

async function summaryOf(messages: readonly MemoryMessage[], { agent, signal, threadId }: Summary): Promise<string> {
  const said = messages.map(({ role, content }) => `${role}: ${content}`).join("\n");
  const prompt = `Summarise this conversation so that it can be continued from the summary alone. Keep names, numbers, decisions and open questions. Answer with the summary only.\n\n${said}`;
  return (await askAside(agent, { prompt, signal, about: `memory:${threadId}` })).text.trim();
}
