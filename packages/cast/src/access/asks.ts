import type { Ask, AskDecision, PendingAsk } from "@smooth/protocol/asks";
import { assertNever, type ErrorCode } from "@smooth/protocol/errors";

/** The life of one ask: pending → decided | expired | void, and nothing after.
 *  A1. A decision names the version it saw; another version is another question.
 *  A2. Decided once. The same decision by the same person again is a retry, not a conflict.
 *  A3. Expiry is "no answer", never "denied".
 *  A4. An agent never decides. */

/** Who is at the door. A person has signed in; an agent has a run's token. */
export type Identity =
  | { readonly kind: "human"; readonly name: string }
  | { readonly kind: "agent"; readonly name: string };

/** How an ask ended, for the caller that waits. */
export type AskOutcome =
  | { readonly kind: "approved"; readonly by: string }
  | { readonly kind: "denied"; readonly by: string; readonly note?: string | undefined }
  | { readonly kind: "expired" }
  | { readonly kind: "void"; readonly reason: string };

export interface Verdict {
  readonly version: number;
  readonly decision: AskDecision;
  readonly by: Identity;
}

export type Deciding =
  | { readonly kind: "decided"; readonly ask: Ask }
  | { readonly kind: "repeated"; readonly ask: Ask }
  | { readonly kind: "refused"; readonly code: ErrorCode; readonly message: string };

export function decideAsk(ask: Ask, { version, decision, by }: Verdict, nowMs: number): Deciding {
  if (by.kind === "agent") return refused("POLICY_DENIED", `${by.name} is an agent; only a person can decide`);
  switch (ask.status) {
    case "decided": {
      const same = ask.decidedBy === by.name && JSON.stringify(ask.decision) === JSON.stringify(decision);
      return same
        ? { kind: "repeated", ask }
        : refused("ALREADY_DECIDED", `${ask.decidedBy} already decided: ${ask.decision.verdict}`);
    }
    case "expired":
      return refused("ASK_VOID", "the time to answer is over");
    case "void":
      return refused("ASK_VOID", ask.voidReason);
    case "pending":
      if (ask.version !== version) return refused("ASK_VOID", "the ask changed since you saw it; look again");
      if (ask.expiresAtMs !== null && nowMs >= ask.expiresAtMs)
        return refused("ASK_VOID", "the time to answer is over");
      return { kind: "decided", ask: { ...ask, status: "decided", decision, decidedBy: by.name, decidedAtMs: nowMs } };
    default:
      return assertNever(ask);
  }
}

export function expireAsk(ask: PendingAsk, nowMs: number): Ask {
  return { ...ask, status: "expired", expiredAtMs: nowMs };
}

export function voidAsk(ask: PendingAsk, reason: string, nowMs: number): Ask {
  return { ...ask, status: "void", voidReason: reason, voidAtMs: nowMs };
}

/** Null while it is pending. */
export function outcomeOf(ask: Ask): AskOutcome | null {
  switch (ask.status) {
    case "pending":
      return null;
    case "decided":
      return ask.decision.verdict === "approve"
        ? { kind: "approved", by: ask.decidedBy }
        : { kind: "denied", by: ask.decidedBy, note: ask.decision.note };
    case "expired":
      return { kind: "expired" };
    case "void":
      return { kind: "void", reason: ask.voidReason };
    default:
      return assertNever(ask);
  }
}

function refused(code: ErrorCode, message: string): Deciding {
  return { kind: "refused", code, message };
}
