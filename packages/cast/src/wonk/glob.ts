/** `*` within one segment, `**` across segments, `?` one character; no regular expression, so no pattern can hang it.
 *  X1. A pattern it does not understand (brackets, braces, backslash) is refused at load by `isGlob`, never half matched. */

export function isGlob(pattern: string): boolean {
  return pattern !== "" && !/[[\]{}\\\0]/.test(pattern);
}

export function globMatches(pattern: string, path: string): boolean {
  return segmentsMatch(pattern.split("/"), path.split("/"));
}

/** A pattern without a leading slash matches at any depth; a directory match covers what is under it. Letter case is ignored, as some file systems do. */
export function protectsPath(pattern: string, path: string): boolean {
  const [low, target] = [pattern.toLowerCase(), path.toLowerCase()];
  if (low.startsWith("/") || low.includes("**")) {
    const rooted = low.startsWith("/") ? low : `/**/${low}`;
    return globMatches(rooted, target) || globMatches(`${rooted}/**`, target);
  }
  const [wanted, segments] = [low.split("/"), target.split("/")];
  const lastStart = segments.length - wanted.length;
  return segments.some(
    (_segment, start) =>
      start <= lastStart && wanted.every((word, offset) => wordMatches(word, segments[start + offset] ?? "")),
  );
}

/** `*` and `?` within one word. */
export function wordMatches(pattern: string, word: string): boolean {
  let [at, seen, star, retry] = [0, 0, -1, 0];
  while (seen < word.length) {
    if (pattern[at] === "*") {
      star = at;
      at += 1;
      retry = seen;
    } else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === word[seen])) {
      at += 1;
      seen += 1;
    } else if (star >= 0) {
      at = star + 1;
      retry += 1;
      seen = retry;
    } else return false;
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}

/** Row by row over the pattern: `reachable[i]` says that the pattern so far can end before segment `i`. */
function segmentsMatch(pattern: readonly string[], path: readonly string[]): boolean {
  let reachable = path.map(() => false).concat(false);
  reachable[0] = true;
  for (const segment of pattern) {
    const next = reachable.map(() => false);
    for (let i = 0; i <= path.length; i += 1) {
      if (segment === "**") next[i] = (reachable[i] ?? false) || (i > 0 && (next[i - 1] ?? false));
      else if (i > 0) next[i] = (reachable[i - 1] ?? false) && wordMatches(segment, path[i - 1] ?? "");
    }
    reachable = next;
  }
  return reachable[path.length] ?? false;
}
