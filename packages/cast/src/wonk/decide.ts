import { assertNever } from "@smooth/protocol/errors";
import { AccessRequest, type Decision } from "@smooth/protocol/policy";
import { decideCommand } from "./command.ts";
import { wordMatches } from "./glob.ts";
import { decideNetwork } from "./network.ts";
import { decideNamedPath, decidePath } from "./paths.ts";
import { Policy } from "./policy.ts";

/** Wonk: is this allowed? Pure, no model; see policy.ts for what a policy can say.
 *  W1. Unknown means deny or ask, never allow. Every answer names the rule that gave it.
 *  W2. A policy or request that is not whole denies.
 *  W3. deny > ask > allow, and a grant turns an ask into an allow, never a deny. */

/** What a person has allowed beyond the policy. The caller passes only grants that are alive. */
export interface Grant {
  readonly id: string;
  readonly request: AccessRequest;
}

export function decide(policy: Policy, request: AccessRequest, grants: readonly Grant[] = []): Decision {
  try {
    if (!isWhole(policy)) return { kind: "deny", rule: "policy.broken", reason: "there is no valid policy" };
    if (!AccessRequest.safeParse(request).success)
      return { kind: "deny", rule: "request.malformed", reason: "the request is malformed" };
    const decision = byRules(policy, request);
    if (decision.kind !== "ask") return decision;
    const grant = grants.find((candidate) => covers(candidate.request, request));
    return grant ? { kind: "allow", rule: `grant:${grant.id}` } : decision;
  } catch {
    return { kind: "deny", rule: "wonk.failed", reason: "the request could not be judged" };
  }
}

/** For people and for the model: what happened, by which rule, and the way on. */
export function explain(decision: Decision): string {
  switch (decision.kind) {
    case "allow":
      return `Allowed by ${decision.rule}.`;
    case "deny":
      return `Denied by ${decision.rule}: ${decision.reason}. Nobody can approve this for the run; the policy itself would have to change.`;
    case "ask":
      return `Waits for a person (${decision.rule}): ${decision.question}`;
    default:
      return assertNever(decision);
  }
}

function byRules(policy: Policy, request: AccessRequest): Decision {
  switch (request.kind) {
    case "network":
      return decideNetwork(policy, request);
    case "tool":
      return decideTool(policy, request.name);
    case "read":
    case "write":
      return decidePath(policy, request);
    case "command":
      return decideCommand(policy, request.command, (path) => decideNamedPath(policy, path));
    case "pearl":
      return decidePearl(policy, request);
    default:
      return assertNever(request);
  }
}

function decideTool({ tools }: Policy, name: string): Decision {
  const named = (patterns: readonly string[]): string | undefined =>
    patterns.find((pattern) => wordMatches(pattern, name));
  const [denied, asked, allowed] = [named(tools.deny), named(tools.ask), named(tools.allow)];
  if (denied !== undefined)
    return { kind: "deny", rule: `tools.deny:${denied}`, reason: `the tool ${name} is forbidden` };
  if (asked !== undefined)
    return { kind: "ask", rule: `tools.ask:${asked}`, question: `May the operator use the tool ${name}?` };
  if (allowed !== undefined) return { kind: "allow", rule: `tools.allow:${allowed}` };
  return { kind: "deny", rule: "tools.default", reason: `no rule allows the tool ${name}` };
}

function decidePearl({ pearls }: Policy, { pearlId, access }: Extract<AccessRequest, { kind: "pearl" }>): Decision {
  if (pearls.accessible.includes(pearlId)) return { kind: "allow", rule: "pearls.accessible" };
  if (access === "read" && pearls.readable.includes(pearlId)) return { kind: "allow", rule: "pearls.readable" };
  return { kind: "deny", rule: "pearls.scope", reason: `${pearlId} is outside the operator's pearls` };
}

/** A grant covers the very same request; for the network also other paths and the harmless twin of GET on that host and port. */
function covers(granted: AccessRequest, request: AccessRequest): boolean {
  if (granted.kind === "network" && request.kind === "network") {
    const method = (name: string): string => (name === "HEAD" ? "GET" : name);
    return (
      granted.host === request.host &&
      granted.port === request.port &&
      method(granted.method) === method(request.method)
    );
  }
  const keys = new Set([...Object.keys(granted), ...Object.keys(request)]);
  return [...keys].every(
    (key) => (granted as Record<string, unknown>)[key] === (request as Record<string, unknown>)[key],
  );
}

/** W2. Values made by zod are checked once; anything else is checked and, being garbage, denied. */
const whole = new WeakSet<object>();
function isWhole(policy: Policy): boolean {
  if (whole.has(policy)) return true;
  const sound = Policy.safeParse(policy).success;
  if (sound) whole.add(policy);
  return sound;
}
