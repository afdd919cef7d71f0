import { z } from "zod";

/** `~/.smooth/providers.json` (seed 000, "Semantic routing slots"). Unknown keys survive an edit; a host refuses them. */

export const SLOTS = [
  "smooth-coding",
  "smooth-thinking",
  "smooth-planning",
  "smooth-reviewing",
  "smooth-judge",
  "smooth-summarize",
  "smooth-fast",
  "smooth-default",
] as const;
export const Slot = z.enum(SLOTS);
export type Slot = z.infer<typeof Slot>;

/** How a provider is talked to: OpenAI chat completions, Anthropic messages, OpenAI responses. */
export const ApiFormat = z.enum(["OpenAiCompat", "Anthropic", "Responses"]);
export type ApiFormat = z.infer<typeof ApiFormat>;

/** USD per million tokens. */
export const Price = z.strictObject({ input: z.number().nonnegative(), output: z.number().nonnegative() });
export type Price = z.infer<typeof Price>;

export const Provider = z.looseObject({
  id: z.string().min(1).max(100),
  api_url: z.url(),
  api_key: z.string().optional(),
  /** Name of the environment variable that holds the key. */
  api_key_env: z.string().optional(),
  api_format: ApiFormat.default("OpenAiCompat"),
  default_model: z.string().min(1),
  /** Output tokens of one answer, at most. */
  max_tokens: z.int().positive().optional(),
  /** Of the default model; absent means unpriced. */
  price: Price.optional(),
});
export type Provider = z.infer<typeof Provider>;

export const Route = z.looseObject({
  provider: z.string(),
  model: z.string().optional(),
  /** Of that model, when it is not the provider's default. */
  price: Price.optional(),
  /** A slot or a provider, asked when this one does not answer. */
  fallback: z.string().optional(),
});

export const ProvidersFile = z.looseObject({
  providers: z.array(Provider).default([]),
  routing: z.partialRecord(Slot, Route).default({}),
});
export type ProvidersFile = z.infer<typeof ProvidersFile>;
