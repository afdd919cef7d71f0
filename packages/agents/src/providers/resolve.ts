import { type ApiFormat, type Price, type Provider, type ProvidersFile, Slot } from "@smooth/protocol/providers";

/** Which model answers for a slot. Pure: the file and the environment are arguments.
 *  P1. A slot without a route goes to smooth-default; without that, to the only or first provider.
 *  P2. A route whose provider or key is missing is skipped and named, never replaced by the DEMO model: only a house with no
 *      provider at all plays the demo.
 *  P3. What nobody priced has no price; it is not free. */

export interface Target {
  readonly providerId: string;
  readonly baseUrl: string;
  readonly apiKey: string | null;
  readonly model: string;
  readonly format: ApiFormat;
  /** Output tokens of one answer; null: as many as the provider gives. */
  readonly maxTokens: number | null;
  readonly price: Price | null;
}

export type SlotRoute =
  | { readonly kind: "demo" }
  /** In order of preference. `skipped` says, without keys, why others are not among them. */
  | { readonly kind: "targets"; readonly targets: readonly Target[]; readonly skipped: readonly string[] };

export type Env = Readonly<Record<string, string | undefined>>;

export function routeSlot(slot: string, { file, env }: { readonly file: ProvidersFile; readonly env: Env }): SlotRoute {
  const providers = [
    ...file.providers,
    ...detected(env).filter(({ id }) => !file.providers.some((known) => known.id === id)),
  ];
  if (providers.length === 0) return { kind: "demo" };
  if (!Slot.safeParse(slot).success) return { kind: "targets", targets: [], skipped: [`there is no slot ${slot}`] };
  const choices = chain(slot, file, providers);
  const found = choices.map((choice) => target(choice, providers, env));
  return {
    kind: "targets",
    targets: found.filter((one) => typeof one !== "string"),
    skipped: found.filter((one) => typeof one === "string"),
  };
}

/** USD, or null when the model has no price (P3). */
export function costUsd(
  price: Price | null,
  usage: { readonly inputTokens: number; readonly outputTokens: number },
): number | null {
  if (price === null) return null;
  return (usage.inputTokens * price.input + usage.outputTokens * price.output) / 1_000_000;
}

interface Choice {
  readonly provider: string;
  readonly model?: string | undefined;
  readonly price?: Price | undefined;
}

/** The slot's route, its fallback, that one's fallback, …; a name that came before ends the chain. */
function chain(slot: string, file: ProvidersFile, providers: readonly Provider[]): Choice[] {
  const choices: Choice[] = [];
  const seen = new Set<string>();
  for (let name: string | undefined = slot; name !== undefined && !seen.has(name);) {
    seen.add(name);
    const asSlot = Slot.safeParse(name);
    const route = asSlot.success ? (file.routing[asSlot.data] ?? file.routing["smooth-default"]) : undefined; // P1
    choices.push(route ?? { provider: asSlot.success ? (providers[0]?.id ?? "") : name });
    name = route?.fallback;
  }
  return choices;
}

/** The target, or why there is none (P2). */
function target(choice: Choice, providers: readonly Provider[], env: Env): Target | string {
  const provider = providers.find(({ id }) => id === choice.provider);
  if (!provider) return `no provider is called ${choice.provider}`;
  const apiKey = provider.api_key ?? (provider.api_key_env === undefined ? null : (env[provider.api_key_env] ?? ""));
  if (apiKey === "") return `${provider.id}: the variable ${provider.api_key_env ?? "of its key"} is empty`;
  const model = choice.model ?? provider.default_model;
  const price = choice.price ?? (model === provider.default_model ? (provider.price ?? null) : null);
  return {
    providerId: provider.id,
    baseUrl: provider.api_url,
    apiKey,
    model,
    format: provider.api_format,
    maxTokens: provider.max_tokens ?? null,
    price,
  };
}

/** Providers that the environment alone describes, most explicit first. */
function detected(env: Env): Provider[] {
  const explicit = [
    { id: "env-smooth", url: env["SMOOTH_MODEL_URL"], key: "SMOOTH_MODEL_KEY", model: env["SMOOTH_MODEL"] },
    { id: "env-openai", url: env["OPENAI_BASE_URL"], key: "OPENAI_API_KEY", model: env["OPENAI_MODEL"] },
  ].flatMap(({ id, url, key, model }) =>
    url && model ? [provider(id, { url, model, key: env[key] ? key : null })] : [],
  );
  const keyed = KEYED.filter(({ key }) => env[key]).map(({ id, ...rest }) => provider(id, rest));
  return [...explicit, ...keyed];
}

const KEYED = [
  {
    id: "anthropic",
    key: "ANTHROPIC_API_KEY",
    url: "https://api.anthropic.com/v1",
    model: "claude-sonnet-4-5",
    format: "Anthropic",
  },
  { id: "openai", key: "OPENAI_API_KEY", url: "https://api.openai.com/v1", model: "gpt-5", format: "Responses" },
  {
    id: "google",
    key: "GEMINI_API_KEY",
    url: "https://generativelanguage.googleapis.com/v1beta/openai",
    model: "gemini-2.5-pro",
  },
  { id: "openrouter", key: "OPENROUTER_API_KEY", url: "https://openrouter.ai/api/v1", model: "openrouter/auto" },
] as const;

interface Detected {
  readonly url: string;
  readonly model: string;
  readonly key: string | null;
  readonly format?: ApiFormat;
}

function provider(id: string, { url, model, key, format = "OpenAiCompat" }: Detected): Provider {
  return {
    id,
    api_url: url,
    default_model: model,
    api_format: format,
    ...(key === null ? {} : { api_key_env: key }),
  };
}
