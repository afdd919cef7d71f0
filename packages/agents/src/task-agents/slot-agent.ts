import type { AgentLike, GenerateArgs } from "@smooth/engine/task";
import { SmoothError } from "@smooth/protocol/errors";
import type { Slot } from "@smooth/protocol/providers";
import type { ToolSet } from "ai";
import { costUsd, type SlotRoute, type Target } from "../providers/resolve.ts";
import { sdkAgent, type Model, type ProviderKind, type ProviderSettings, type SdkAgentOptions } from "./sdk-agent.ts";

/** An agent that names a slot; the house decides, at each answer, which provider and model that is.
 *  R1. Targets are asked in order: the next one only when the one before is busy, down or does not answer.
 *  R2. Tokens carry the price of the target that used them; the provider's `max_tokens` is the limit of an answer.
 *  R3. A slot that nobody serves is AGENT_CONFIG_INVALID and says why. */

export type SlotSettings = Omit<SdkAgentOptions<ToolSet>, "model" | "apiKey" | "baseURL"> & {
  /** Another model of the same provider. */
  readonly model?: string;
};

export function agentOfSlot(
  slot: Slot,
  route: (slot: Slot) => Promise<SlotRoute>,
  { model, ...settings }: SlotSettings = {},
): AgentLike {
  return {
    id: settings.id ?? slot,
    tools: settings.tools,
    async generate(args) {
      const targets = targetsOf(slot, await route(slot));
      for (const [at, target] of targets.entries()) {
        const last = at === targets.length - 1;
        const chosen = model === undefined || model === target.model ? target : { ...target, model, price: null };
        const patience = last ? {} : { maxRetries: 0 };
        try {
          return await agentOf(chosen, { ...settings, ...patience }).generate(priced(args, chosen)); // R1
        } catch (error) {
          if (last || !mayPass(error)) throw error;
        }
      }
      throw nobody(slot, []); // R3
    },
  };
}

/** R3 */
function targetsOf(slot: Slot, route: SlotRoute): readonly Target[] {
  if (route.kind === "demo") throw nobody(slot, ["no provider is configured; add one with `th auth login <provider>`"]);
  if (route.targets.length === 0) throw nobody(slot, route.skipped);
  return route.targets;
}

const nobody = (slot: Slot, why: readonly string[]): SmoothError =>
  new SmoothError("AGENT_CONFIG_INVALID", [`nobody serves ${slot}`, ...why].join("; "));

function agentOf(target: Target, settings: Omit<SlotSettings, "model">): AgentLike {
  const { format, baseUrl, model, maxTokens } = target;
  return sdkAgent(
    {
      ...settings,
      ...(maxTokens !== null && { maxOutputTokens: maxTokens }), // R2
      model,
      baseURL: baseUrl,
      apiKey: target.apiKey ?? "none",
    },
    KINDS[format],
  );
}

const openAi = async (settings: ProviderSettings) => (await import("@ai-sdk/openai")).createOpenAI(settings);

const KINDS: Readonly<Record<Target["format"], ProviderKind>> = {
  Anthropic: {
    name: "anthropic",
    structured: true,
    model: async (settings, id): Promise<Model> => (await import("@ai-sdk/anthropic")).createAnthropic(settings)(id),
  },
  Responses: {
    name: "openai",
    structured: true,
    model: async (settings, id): Promise<Model> => (await openAi(settings)).responses(id),
  },
  OpenAiCompat: {
    name: "openai-compatible",
    structured: false,
    model: async (settings, id): Promise<Model> => (await openAi(settings)).chat(id),
  },
};

/** R2 */
const priced = (args: GenerateArgs, { price, model }: Target): GenerateArgs => ({
  ...args,
  reportUsage(usage) {
    const { inputTokens = 0, outputTokens = 0 } = usage;
    const cost = costUsd(price, { inputTokens, outputTokens });
    args.reportUsage({ ...usage, model, ...(cost !== null && { costUsd: cost }) });
  },
});

/** R1 */
function mayPass(error: unknown): boolean {
  const { lastError = error } = error as { readonly lastError?: unknown };
  const { statusCode, isRetryable } = lastError as { readonly statusCode?: number; readonly isRetryable?: boolean };
  return statusCode === undefined ? isRetryable === true : statusCode === 429 || statusCode >= 500;
}
