import { answerSchema } from "@smooth/engine/answer-schema";
import type { AgentLike, GenerateArgs } from "@smooth/engine/task";
import { SmoothError } from "@smooth/protocol/errors";
import type * as AiSdk from "ai";
import type { LanguageModel, ModelMessage, StepResult, ToolLoopAgentSettings, ToolSet } from "ai";
import type { z } from "zod";
import { boundedFetch } from "./bounded-fetch.ts";
import { isStrict } from "./strict-schema.ts";

/** An agent of a task on the AI SDK's `ToolLoopAgent`, whatever the provider.
 *  S1. The task's schema is the structured output of the call; an answer that does not fit it is the engine's to correct, in
 *      the same conversation, tool calls included.
 *  S2. Every step reports its tokens and its words and is proof of life, as is every tool call.
 *  S3. Every option is the AI SDK's own and is handed to it; what cannot have an effect is refused when the agent is made.
 *  S4. A task that allows only some tools gets only those.
 *  S5. The AI SDK is loaded by the first answer: a workflow file that names an agent starts as fast as one that does not. */

export type Model = Exclude<LanguageModel, string>;

export type SdkAgentOptions<TOOLS extends ToolSet> = Omit<
  ToolLoopAgentSettings<never, TOOLS>,
  "model" | "output" | "callOptionsSchema" | "onAbort" | "_internal"
> & {
  /** A model id of this provider, or a model the AI SDK already made. */
  readonly model: string | Model;
  /** Model calls of one answer, at most; with `stopWhen`, whichever comes first. Without both: 20. */
  readonly maxSteps?: number;
  /** For a model id. Without it: the provider's usual environment variable. */
  readonly apiKey?: string;
  /** For a model id. Without it: the provider's usual address. */
  readonly baseURL?: string;
};

export interface ProviderSettings {
  readonly apiKey?: string;
  readonly baseURL?: string;
  readonly fetch: typeof fetch;
}

export interface SdkAgent<TOOLS extends ToolSet> extends AgentLike {
  readonly id: string;
  readonly tools: TOOLS | undefined;
}

export interface ProviderKind {
  readonly name: string;
  /** Whether its API takes a schema for the answer; otherwise the prompt alone asks for it. */
  readonly structured: boolean;
  /** S5 */
  model(settings: ProviderSettings, id: string): Promise<Model>;
}

export function sdkAgent<TOOLS extends ToolSet>(options: SdkAgentOptions<TOOLS>, kind: ProviderKind): SdkAgent<TOOLS> {
  const { model: given, maxSteps, apiKey, baseURL, ...settings } = options;
  refuse("output" in options, "the task's output schema is the output; an agent takes none of its own"); // S3
  refuse(typeof given !== "string" && (apiKey ?? baseURL) !== undefined, "apiKey and baseURL are for a model id");
  refuse(maxSteps !== undefined && !(maxSteps >= 1), `maxSteps is ${maxSteps}; it must be at least 1`);
  const address = { ...(apiKey !== undefined && { apiKey }), ...(baseURL !== undefined && { baseURL }) };
  let model: Promise<Model> | undefined;
  return {
    id: settings.id ?? (typeof given === "string" ? `${kind.name}:${given}` : `${given.provider}:${given.modelId}`),
    tools: settings.tools,
    async generate(args) {
      model ??=
        typeof given === "string" ? kind.model({ ...address, fetch: boundedFetch }, given) : Promise.resolve(given);
      const whole = { ...settings, model: await model } as unknown as Settings;
      return generate(whole, { ...args, maxSteps, structured: kind.structured });
    },
  };
}

function refuse(wrong: boolean, message: string): void {
  if (wrong) throw new SmoothError("AGENT_CONFIG_INVALID", message);
}

/** As the AI SDK reads them; which tools they are matters only to whoever makes the agent. */
type Settings = ToolLoopAgentSettings<never, ToolSet>;

interface Asked extends GenerateArgs {
  readonly maxSteps: number | undefined;
  readonly structured: boolean;
}

async function generate(settings: Settings, args: Asked): Promise<unknown> {
  const ai = await import("ai"); // S5
  const agent = new ai.ToolLoopAgent({
    ...settings,
    ...allowed(settings, args),
    ...(args.maxSteps !== undefined && { stopWhen: [settings.stopWhen ?? [], ai.isStepCount(args.maxSteps)].flat() }),
    ...(args.structured && structured(ai, settings, args.outputSchema)),
  } as unknown as Settings);
  const result = await agent.generate(callOf(args));
  return { text: result.text, output: outputOf(result), responseMessages: result.responseMessages };
}

/** S1. Asks for the schema, but takes what comes: an answer that is no JSON is the engine's to correct. */
const lenient = <T extends object>(output: T) => ({
  ...output,
  parseCompleteOutput: async ({ text }: { readonly text: string }) => parsed(text),
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** S2 */
const callOf = ({ reportUsage, heartbeat, onStdout, abortSignal, conversation, prompt }: GenerateArgs) => ({
  messages: [...conversation.flatMap(spokenIn), { role: "user" as const, content: prompt }],
  abortSignal,
  onToolExecutionStart: () => heartbeat(),
  onToolExecutionEnd: () => heartbeat(),
  onStepEnd: ({ text, usage, response }: Pick<StepResult<ToolSet>, "text" | "usage" | "response">) => {
    heartbeat();
    onStdout(text);
    reportUsage({ ...usage, model: response.modelId });
  },
});

const spokenIn = ({ role, content, native }: GenerateArgs["conversation"][number]): ModelMessage[] =>
  (native as ModelMessage[] | undefined) ?? [{ role, content }];

function structured(ai: typeof AiSdk, { providerOptions }: Settings, schema: z.ZodType) {
  const shape = answerSchema(schema);
  if (shape.type !== "object") return {}; // providers take nothing else
  return {
    output: lenient(ai.Output.object({ schema: ai.jsonSchema(shape as Parameters<typeof ai.jsonSchema>[0]) })),
    providerOptions: withStrictness(providerOptions, isStrict(shape)),
  };
}

/** S1. OpenAI's strict mode refuses schemas with optional fields; then the schema is advice, and the engine checks. */
const withStrictness = ({ openai, ...others }: NonNullable<Settings["providerOptions"]> = {}, strict: boolean) => ({
  ...others,
  openai: { strictJsonSchema: strict, ...openai },
});

/** S4 */
function allowed({ tools, activeTools }: Settings, { allowTools }: GenerateArgs) {
  if (allowTools === null) return {};
  const names = activeTools ?? Object.keys(tools ?? {});
  return { activeTools: names.filter((name) => allowTools.includes(name)) };
}

/** The getter throws when the loop ended before the model answered. */
function outputOf(result: { readonly output: unknown }): unknown {
  try {
    return result.output;
  } catch {
    return undefined;
  }
}
