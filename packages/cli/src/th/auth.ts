import { join } from "node:path";
import { text as readAll } from "node:stream/consumers";
import type { Command } from "commander";
import { smoothHome } from "@smooth/platform/node/home";
import { SmoothError } from "@smooth/protocol/errors";
import { Provider, ProvidersFile } from "@smooth/protocol/providers";
import { connect } from "../connect.ts";
import { readOrNull, writePrivate } from "../host-file.ts";
import { clean, list, say, show, type JsonFlag } from "../output.ts";
import { parseArgument, rpcCommand } from "../program.ts";

/** Who answers the models' questions: `<home>/providers.json`, mode 0600.
 *  P1. A key comes by stdin or by the name of an environment variable, never as an argument.
 *  P2. Keys of the file that this build does not know survive an edit. */

interface Preset {
  readonly api_url: string;
  readonly default_model: string;
  readonly api_format: Provider["api_format"];
}
const PRESETS: Readonly<Record<string, Preset>> = {
  anthropic: { api_url: "https://api.anthropic.com/v1", default_model: "claude-sonnet-4-5", api_format: "Anthropic" },
  openai: { api_url: "https://api.openai.com/v1", default_model: "gpt-5", api_format: "Responses" },
  google: {
    api_url: "https://generativelanguage.googleapis.com/v1beta/openai",
    default_model: "gemini-2.5-pro",
    api_format: "OpenAiCompat",
  },
  kimi: { api_url: "https://api.moonshot.ai/v1", default_model: "kimi-k2", api_format: "OpenAiCompat" },
  openrouter: { api_url: "https://openrouter.ai/api/v1", default_model: "openrouter/auto", api_format: "OpenAiCompat" },
  ollama: { api_url: "http://127.0.0.1:11434/v1", default_model: "qwen3-coder", api_format: "OpenAiCompat" },
};

interface LoginFlags {
  readonly keyStdin?: boolean;
  readonly keyEnv?: string;
  readonly apiUrl?: string;
  readonly model?: string;
  readonly format?: string;
}

export function authCommands(program: Command): void {
  const auth = program.command("auth").description("Model providers, and who you are.");
  auth
    .command("login <provider>")
    .description(
      `Add or change a provider: ${Object.keys(PRESETS).join(", ")}, or your own with --api-url and --model.`,
    )
    .option("--key-stdin", "read the key from stdin")
    .option("--key-env <name>", "take the key from this environment variable whenever it is needed")
    .option("--api-url <url>", "base URL of the API")
    .option("--model <model>", "the model used when a route names none")
    .option("--format <format>", "OpenAiCompat, Anthropic or Responses")
    .action(login);
  auth
    .command("providers")
    .description("Configured providers; keys are not shown.")
    .option("--json", "one JSON document")
    .action(providers);
  auth
    .command("default <provider> [model]")
    .description("Choose what backs smooth-default.")
    .action((id: string, model: string | undefined) => chooseDefault(id, model));
  rpcCommand(auth, "whoami", "whoAmI")
    .option("--json", "one JSON document")
    .action(async (flags: JsonFlag) =>
      show(await connect().call("whoAmI", {}), flags, ({ name, role, via }) => [clean(`${name}, ${role}, ${via}`)]),
    );
}

async function login(id: string, flags: LoginFlags): Promise<void> {
  const file = readProviders();
  const known = file.providers.find((provider) => provider.id === id);
  const { api_key: _key, api_key_env: _name, ...kept } = known ?? { id };
  const provider = parseArgument(
    Provider,
    {
      ...PRESETS[id],
      ...kept,
      ...(flags.apiUrl !== undefined && { api_url: flags.apiUrl }),
      ...(flags.model !== undefined && { default_model: flags.model }),
      ...(flags.format !== undefined && { api_format: flags.format }),
      ...(await keyOf(id, flags)),
    },
    `provider ${id}`,
  );
  const others = file.providers.filter((other) => other.id !== id);
  const routing = file.routing["smooth-default"]
    ? file.routing
    : { ...file.routing, "smooth-default": { provider: id } };
  writeProviders({ ...file, providers: [...others, provider], routing });
  say(`${id} is ${known ? "changed" : "added"}; smooth-default is backed by ${routing["smooth-default"]?.provider}`);
}

/** P1 */
async function keyOf(
  id: string,
  { keyStdin = false, keyEnv }: LoginFlags,
): Promise<{ api_key?: string; api_key_env?: string }> {
  if (keyEnv !== undefined) return { api_key_env: keyEnv };
  if (keyStdin) {
    const key = (await readAll(process.stdin)).trim();
    if (key !== "") return { api_key: key };
    throw new SmoothError("INVALID_INPUT", `no key for ${id} came on stdin`);
  }
  if (id === "ollama") return {};
  throw new SmoothError("INVALID_INPUT", `${id} needs a key: --key-stdin, or --key-env <name>`);
}

function providers(flags: JsonFlag): void {
  const { providers: found, routing } = readProviders();
  const answer = found.map(({ id, api_url, default_model, api_key, api_key_env }) => ({
    id,
    apiUrl: api_url,
    defaultModel: default_model,
    key: keySource(api_key, api_key_env),
    isDefault: routing["smooth-default"]?.provider === id,
  }));
  show({ providers: answer }, flags, () =>
    list(
      answer,
      ({ id, apiUrl, defaultModel, key, isDefault }) => [isDefault ? "*" : " ", id, defaultModel, key, apiUrl],
      "no providers; add one with `th auth login <provider>`",
    ),
  );
}

function keySource(key: string | undefined, env: string | undefined): string {
  if (key !== undefined) return "stored";
  return env === undefined ? "none" : `$${env}`;
}

function chooseDefault(id: string, model: string | undefined): void {
  const file = readProviders();
  if (!file.providers.some((provider) => provider.id === id)) {
    const have = file.providers.map((provider) => provider.id).join(", ") || "none";
    throw new SmoothError(
      "INVALID_INPUT",
      `no provider ${id} (configured: ${have}); add it with \`th auth login ${id}\``,
    );
  }
  const { model: _before, ...route } = file.routing["smooth-default"] ?? {};
  const next = { ...route, provider: id, ...(model !== undefined && { model }) };
  writeProviders({ ...file, routing: { ...file.routing, "smooth-default": next } });
  say(`smooth-default is backed by ${id}${model === undefined ? "" : ` (${model})`}`);
}

const providersPath = (): string => join(smoothHome(process.env), "providers.json");

function readProviders(): ProvidersFile {
  const text = readOrNull(providersPath());
  try {
    return ProvidersFile.parse(text === null ? {} : JSON.parse(text));
  } catch (cause) {
    throw new SmoothError(
      "CONFIG_INVALID",
      `${providersPath()} is not a providers file: ${(cause as Error).message.split("\n")[0]}`,
      { cause },
    );
  }
}

const writeProviders = (file: ProvidersFile): void =>
  writePrivate(providersPath(), `${JSON.stringify(file, null, 2)}\n`);
