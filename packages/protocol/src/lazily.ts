/** Makes a schema when it is first asked for. A zod object costs 25 µs and the first of its kind 0.5 ms: a program that makes
 *  all of its own at the start is late for a run that needs three of them. */
export function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
