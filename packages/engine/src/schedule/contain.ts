/** Where a failure stops. Pure.
 *  C1. The innermost scope whose part can still be followed by a catch or a finally takes it; without one the run fails.
 *  C2. A failure in a catch is never caught by the same scope; a failure in a finally goes outward at once. */
import type { ScopePart } from "../graph/plan.ts";
import type { ErrorInfo } from "../run/events.ts";
import type { ScopeState } from "../run/state.ts";

export interface Containment {
  readonly scopeId: string;
  readonly next: "catch" | "finally";
}

/** `within`: where the failure happened. Null: nothing contains it. */
export function contain(within: ScopePart | null, error: ErrorInfo): Containment | null {
  for (let here = within; here; here = here.outer) {
    const { scopeId, part, hasFinally } = here;
    if (part === "body" && catches(here, error)) return { scopeId, next: "catch" };
    if (part !== "finally" && hasFinally) return { scopeId, next: "finally" }; // C2
  }
  return null;
}

function catches({ handler }: ScopePart, { code }: ErrorInfo): boolean {
  return handler.kind === "catch" && (handler.codes === null || handler.codes.includes(code));
}

/** Whether something stands in a part that was given up: it starts no more, and how it ends is no news. */
export function isGivenUp(within: ScopePart | null, scopes: ReadonlyMap<string, ScopeState>): boolean {
  for (let here = within; here; here = here.outer) {
    const at = scopes.get(here.scopeId)?.at;
    if (at !== undefined && (here.part === "body" || (here.part === "catch" && at === "finally"))) return true;
  }
  return false;
}
