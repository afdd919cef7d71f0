const SCHEME = "pglite:";

/** The directory of a `pglite:` URL ("" = in memory); null for every other URL. */
export function pgliteDirOf(url: string): string | null {
  return url.startsWith(SCHEME) ? url.slice(SCHEME.length) : null;
}
