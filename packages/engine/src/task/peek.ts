/** Reading what strangers hand back. A getter, a proxy or a `toString` of theirs may throw; reading never does. */

/** A property, or undefined when there is none or reading it throws. */
export function peek(value: unknown, key: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

export function peekText(value: unknown, key: string): string | null {
  const text = peek(value, key);
  return typeof text === "string" ? text : null;
}

/** What was thrown, in words. */
export function describe(thrown: unknown): string {
  try {
    return peekText(thrown, "message") ?? String(thrown);
  } catch {
    return "something was thrown that cannot be put into words";
  }
}

/** JSON text, or null for what JSON cannot write: circles, bigints, getters that throw. */
export function writeJson(value: unknown): string | null {
  try {
    return (JSON.stringify(value) as string | undefined) ?? null;
  } catch {
    return null;
  }
}
