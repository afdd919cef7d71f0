import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { smoothHome } from "@smooth/platform/node/home";
import { SmoothError } from "@smooth/protocol/errors";
import { Provider, ProvidersFile, Route } from "@smooth/protocol/providers";

/** Reads `providers.json`. No file is an empty one; a broken one is CONFIG_INVALID, named by path and field, never by content:
 *  it holds keys. `th auth` writes it.
 *  F1. A field that nobody reads is refused by its name: a typo would be a setting that silently does nothing. */
export async function loadProviders(path: string): Promise<ProvidersFile> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "{}";
    throw new SmoothError("CONFIG_INVALID", `cannot read ${path} (${error.code ?? "unknown reason"})`);
  });
  const parsed = ProvidersFile.safeParse(parseJson(text));
  const problem = parsed.success ? inertIn(parsed.data) : brokenAt(parsed.error.issues[0]);
  if (parsed.success && problem === null) return parsed.data;
  throw new SmoothError("CONFIG_INVALID", `${path} is unusable: ${problem ?? "it cannot be read"}`);
}

export const providersPath = (env: Readonly<Record<string, string | undefined>>): string =>
  join(smoothHome(env), "providers.json");

/** The path and the kind of problem: zod's own message could quote a value. */
const brokenAt = (issue: { readonly path: readonly PropertyKey[]; readonly code?: string } | undefined): string =>
  issue === undefined || issue.path.length === 0
    ? "it is not JSON of the right shape"
    : `"${issue.path.join(".")}" is wrong (${issue.code ?? "unknown"})`;

/** F1 */
function inertIn(file: ProvidersFile): string | null {
  const places: (readonly [string, object, object])[] = [
    ["", file, ProvidersFile.shape],
    ...file.providers.map((one, at) => [`providers.${at}.`, one, Provider.shape] as const),
    ...Object.entries(file.routing).map(([slot, route]) => [`routing.${slot}.`, route, Route.shape] as const),
  ];
  const unknown = places.flatMap(([at, value, shape]) =>
    Object.keys(value)
      .filter((key) => !Object.hasOwn(shape, key))
      .map((key) => `"${at}${key}"`),
  );
  if (unknown.length > 0) return `nobody reads ${unknown.join(", ")}`;
  const twice = file.providers.find(({ api_key, api_key_env }) => api_key !== undefined && api_key_env !== undefined);
  return twice ? `provider ${twice.id} has both api_key and api_key_env` : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
