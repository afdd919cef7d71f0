import { readFile } from "node:fs/promises";
import { SmoothError } from "@smooth/protocol/errors";
import { ProvidersFile } from "@smooth/protocol/providers";

/** Reads `providers.json`. No file is an empty one; a broken one is CONFIG_INVALID, named by path and field, never by content:
 *  it holds keys. `th auth` writes it. */
export async function loadProviders(path: string): Promise<ProvidersFile> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "{}";
    throw new SmoothError("CONFIG_INVALID", `cannot read ${path} (${error.code ?? "unknown reason"})`);
  });
  const parsed = ProvidersFile.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new SmoothError(
    "CONFIG_INVALID",
    `${path} is unusable at "${issue?.path.join(".") ?? ""}" (${issue?.code ?? "not JSON"})`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
