import { assertNever } from "@smooth/protocol/errors";
import type { AskOutcome } from "../access/asks.ts";

/** What a guest reads when its request is not forwarded. */
export interface Refusal {
  readonly status: 400 | 403 | 413 | 502 | 503 | 504;
  readonly rule: string;
  readonly message: string;
}

export function refusalBody(refusal: Refusal, host: string): string {
  const code = refusal.status === 403 ? "POLICY_DENIED" : "GOALIE_FAILED";
  return `${JSON.stringify({ error: { code, message: `${host}: ${refusal.message}`, host, rule: refusal.rule, help: "Do not retry. If the task needs this host, say so in your answer: a person can allow it in the dashboard or in .smooth/policy.toml." } })}\n`;
}

/** "No answer" and "denied" are different facts and read differently. */
export function outcomeRefusal(outcome: Exclude<AskOutcome, { kind: "approved" }>, rule: string): Refusal {
  switch (outcome.kind) {
    case "denied":
      return { status: 403, rule, message: `denied by ${outcome.by}${outcome.note ? `: ${outcome.note}` : ""}` };
    case "expired":
      return { status: 403, rule, message: "no answer: nobody decided in time" };
    case "void":
      return { status: 403, rule, message: `the question was withdrawn: ${outcome.reason}` };
    default:
      return assertNever(outcome);
  }
}
