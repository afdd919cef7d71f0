import { costUsd, type Env, routeSlot, type Target } from "@smooth/agents/providers";
import { loadProviders } from "@smooth/agents/providers/file";
import type { ModelTarget } from "@smooth/cast/goalie/door";
import type { Usage } from "@smooth/cast/goalie/usage";
import { type ApiFormat, type ProvidersFile, SLOTS } from "@smooth/protocol/providers";

/** Slots to providers, by providers.json and the environment; the scripted DEMO model only when neither names any. */
export interface Models {
  readonly demo: boolean;
  /** In order of preference; empty when nothing serves the slot. */
  targets(slot: string): readonly Target[];
  /** The dialects of those targets, each once, in that order; never empty, so that an operator asks and hears why not. */
  formats(slot: string): readonly ApiFormat[];
  /** null: the model has no price here. */
  costUsd(target: ModelTarget, usage: Usage): number | null;
  /** Every provider key. */
  secrets(): readonly string[];
  /** Reads providers.json again. */
  refresh(): Promise<void>;
}

interface ModelDeps {
  readonly path: string;
  readonly env: Env;
  /** Base URL of the scripted model. */
  readonly demoUrl: () => Promise<string>;
}

export async function openModels({ path, env, demoUrl }: ModelDeps): Promise<Models> {
  let file: ProvidersFile = await loadProviders(path);
  const routes = (slot: string) => routeSlot(slot, { file, env });
  const isDemo = (): boolean => routes("smooth-default").kind === "demo";
  const demo: Target | null = isDemo()
    ? {
        providerId: "demo",
        baseUrl: await demoUrl(),
        apiKey: null,
        model: "demo-scripted",
        format: "OpenAiCompat",
        maxTokens: null,
        price: null,
      }
    : null;
  const targets = (slot: string): readonly Target[] => {
    const route = routes(slot);
    if (route.kind === "targets") return route.targets;
    return demo && (SLOTS as readonly string[]).includes(slot) ? [demo] : [];
  };
  return {
    get demo() {
      return isDemo();
    },
    targets,
    formats(slot) {
      const formats = [...new Set(targets(slot).map(({ format }) => format))];
      return formats.length > 0 ? formats : ["OpenAiCompat"];
    },
    costUsd: (target, usage) =>
      costUsd(
        SLOTS.flatMap(targets).find((one) => one.providerId === target.providerId && one.model === target.model)
          ?.price ?? null,
        usage,
      ),
    secrets: () => [...new Set(SLOTS.flatMap((slot) => targets(slot).flatMap(({ apiKey }) => apiKey ?? [])))],
    async refresh() {
      file = await loadProviders(path);
    },
  };
}
