import type { AskSubject } from "@smooth/protocol/asks";
import { assertNever } from "@smooth/protocol/errors";
import type { PearlId, RunId } from "@smooth/protocol/ids";
import type { AccessRequest, Decision } from "@smooth/protocol/policy";
import { decide, explain } from "../wonk/decide.ts";
import type { Policy } from "../wonk/policy.ts";
import type { Access } from "./access.ts";
import type { AskOutcome } from "./asks.ts";

/** Wonk and the queue as one door for a run: a request goes in, allow, deny or a pending question comes out.
 *  D1. What cannot become a question (too long to read, nobody there) is denied.
 *  D2. People see the redacted action; the hash and a grant are over the exact one. */

export type Answer =
  | Exclude<Decision, { kind: "ask" }>
  | (Extract<Decision, { kind: "ask" }> & { readonly outcome: Promise<AskOutcome> });

export interface GateDeps {
  readonly access: Access;
  /** Read anew for every request, so a reloaded policy counts at once. */
  policy(): Policy;
  readonly run: { readonly runId: RunId; readonly pearlId: PearlId | null };
  redact(text: string): string;
  /** `headless`: nobody is there; every ask is a deny. */
  readonly mode: "ask" | "headless";
  readonly askTtlMs: number | null;
}

export interface Gate {
  /** Never rejects; does not wait for a person. */
  judge(request: AccessRequest): Promise<Answer>;
  /** Waits for the person too, and says what the model should read. */
  settle(
    request: AccessRequest,
  ): Promise<
    | { readonly kind: "allow"; readonly rule: string }
    | { readonly kind: "refuse"; readonly rule: string; readonly message: string }
  >;
}

export function gateFor(deps: GateDeps): Gate {
  const judge = (request: AccessRequest): Promise<Answer> =>
    judgeFor(deps, request).catch(() => ({
      kind: "deny",
      rule: "gate.failed",
      reason: "the request could not be judged",
    }));
  return {
    judge,
    async settle(request) {
      const answer = await judge(request);
      if (answer.kind === "allow") return answer;
      if (answer.kind === "deny") return { kind: "refuse", rule: answer.rule, message: explain(answer) };
      const outcome = await answer.outcome;
      return outcome.kind === "approved"
        ? { kind: "allow", rule: `${answer.rule} (approved by ${outcome.by})` }
        : { kind: "refuse", rule: answer.rule, message: refusalText(outcome) };
    },
  };
}

async function judgeFor(
  { access, policy, run, redact, mode, askTtlMs }: GateDeps,
  request: AccessRequest,
): Promise<Answer> {
  const decision = decide(policy(), request, await access.grantsOf(run.runId));
  if (decision.kind !== "ask") return decision;
  if (mode === "headless") return { kind: "deny", rule: decision.rule, reason: "nobody is there to ask" };
  const subject = subjectOf(request, redact);
  if (subject === null)
    return { kind: "deny", rule: "gate.too-long", reason: "the action is too long for a person to judge" };
  const exact = JSON.stringify(request);
  const { outcome } = await access.open({
    ...run,
    subject,
    ttlMs: askTtlMs,
    action: exact,
    question: redact(decision.question),
    reason: decision.rule,
    risk: riskOf(request, decision.rule),
    // A secret in the request must not be kept in a grant or a file.
    request: redact(exact) === exact ? request : null,
  });
  return { ...decision, outcome };
}

function subjectOf(request: AccessRequest, redact: (text: string) => string): AskSubject | null {
  const tool = (name: string, args: string): AskSubject | null =>
    args.length > 20_000 ? null : { kind: "tool", tool: name, args: redact(args) };
  switch (request.kind) {
    case "network":
      return { ...request, ...(request.path === undefined ? {} : { path: redact(request.path) }) };
    case "tool":
      return tool(request.name, "");
    case "read":
    case "write":
      return tool(request.kind, request.path);
    case "command":
      return tool("bash", request.command);
    case "pearl":
      return tool("pearl", `${request.access} ${request.pearlId}`);
    default:
      return assertNever(request);
  }
}

function riskOf(request: AccessRequest, rule: string): "low" | "medium" | "high" {
  if (rule.startsWith("hazard.") || rule.startsWith("filesystem.")) return "high";
  return request.kind === "network" && (request.method === "GET" || request.method === "HEAD") ? "low" : "medium";
}

function refusalText(outcome: Exclude<AskOutcome, { kind: "approved" }>): string {
  switch (outcome.kind) {
    case "denied":
      return `${outcome.by} denied this${outcome.note ? `: ${outcome.note}` : "."} Do not try another way to the same effect.`;
    case "expired":
      return "No answer: nobody decided in time. This is not a denial; go on without it or say in your answer that it is needed.";
    case "void":
      return `The question was withdrawn: ${outcome.reason}.`;
    default:
      return assertNever(outcome);
  }
}
