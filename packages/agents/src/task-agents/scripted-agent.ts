import type { AgentLike, GenerateArgs } from "@smooth/engine/task";

/** An agent for tests and examples: no network, no key, the same answers every time.
 *  A1. Answered by a function or by `failures`, what it does follows from the ask alone (attempt, prompt, conversation): a
 *      run that is killed and resumed in another process hears the same. A list counts the asks of this object instead.
 *  A2. It stops when the ask is aborted, like any agent. */

/** Text is what a model would say; an object is native structured output; an Error is thrown. */
export type ScriptedAnswer = string | Error | Readonly<Record<string, unknown>> | ScriptedReply;

export interface ScriptedAsk extends GenerateArgs {
  /** Runs one of the agent's own tools, as a model's tool call would, and gives its result. */
  callTool(name: string, input: unknown): Promise<unknown>;
}

export interface ScriptedUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface ScriptedTool {
  // A method, so that tools with narrower argument types fit.
  execute?(input: unknown, options: { readonly toolCallId: string; readonly abortSignal: AbortSignal }): unknown;
}

export interface ScriptedAgentOptions {
  readonly id?: string;
  /** A list is said one after the other, the last one again and again. */
  readonly answers: readonly ScriptedAnswer[] | ((ask: ScriptedAsk) => ScriptedAnswer | Promise<ScriptedAnswer>);
  /** The first so many attempts of every task fail before anything is said. */
  readonly failures?: number;
  /** Reported with every answer that brings none of its own. */
  readonly usage?: ScriptedUsage;
  readonly tools?: Readonly<Record<string, ScriptedTool>>;
}

export function scriptedAgent({ id = "scripted", answers, failures = 0, usage, tools = {} }: ScriptedAgentOptions) {
  let asked = 0;
  const next = (ask: ScriptedAsk): ScriptedAnswer | undefined | Promise<ScriptedAnswer> =>
    typeof answers === "function" ? answers(ask) : answers[Math.min(asked++, answers.length - 1)];
  return {
    id,
    tools,
    async generate(args: GenerateArgs) {
      args.signal.throwIfAborted(); // A2
      if (args.attempt <= failures) throw new Error(`${id} fails attempt ${args.attempt} of ${failures}, as scripted`);
      const answer = await unlessAborted(async () => next({ ...args, callTool: toolCaller(tools, args) }), args.signal);
      if (answer === undefined) throw new Error(`${id} has no answers`);
      if (answer instanceof Error) throw answer;
      return { modelId: id, ...(usage && { usage }), ...spoken(answer) };
    },
  } satisfies AgentLike;
}

/** An answer that brings its own token usage. */
export class ScriptedReply {
  readonly answer: string | Readonly<Record<string, unknown>>;
  readonly usage: ScriptedUsage;

  constructor(answer: string | Readonly<Record<string, unknown>>, usage: ScriptedUsage) {
    this.answer = answer;
    this.usage = usage;
  }
}

function spoken(answer: Exclude<ScriptedAnswer, Error>): Readonly<Record<string, unknown>> {
  if (answer instanceof ScriptedReply) return { ...spoken(answer.answer), usage: answer.usage };
  return typeof answer === "string" ? { text: answer } : { text: JSON.stringify(answer), output: answer };
}

function toolCaller(
  tools: Readonly<Record<string, ScriptedTool>>,
  { signal, idempotencyKey, allowTools }: GenerateArgs,
) {
  let calls = 0;
  return async (name: string, input: unknown): Promise<unknown> => {
    signal.throwIfAborted();
    const tool = tools[name];
    if (allowTools && !allowTools.includes(name)) throw new Error(`the task does not allow the tool ${name}`);
    if (!tool?.execute) throw new Error(`no tool is called ${name}; there are: ${Object.keys(tools).join(", ")}`);
    calls += 1;
    return tool.execute(input, { toolCallId: `${idempotencyKey}:${calls}`, abortSignal: signal });
  };
}

function unlessAborted<T>(start: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  start()
    .then(resolve, reject)
    .finally(() => signal.removeEventListener("abort", onAbort));
  return promise;
}
