import type { Decision } from "@smooth/protocol/policy";
import { wordMatches } from "./glob.ts";
import { pathsNamed, type Decide, type NamedPath } from "./paths.ts";
import type { Policy } from "./policy.ts";
import { readShell, type Part } from "./shell.ts";
import { hazardOf, type Hazard } from "./hazards.ts";

/** A command is as free as its least free part.
 *  C1. What the parser does not fully understand is denied: nobody can judge it, a person neither.
 *  C2. A hazard is never allowed by a rule; a person may allow that very command.
 *  C3. Files a command names are judged like reads, redirect targets like writes. */

export function decideCommand(policy: Policy, command: string, decidePath: Decide): Decision {
  const shell = readShell(command);
  if (shell.kind === "unreadable")
    return { kind: "deny", rule: "commands.unreadable", reason: `the shell line cannot be judged: ${shell.reason}` };
  if (shell.parts.length === 0) return { kind: "deny", rule: "commands.empty", reason: "there is no command" };
  return worst(
    shell.parts.flatMap((part) => [
      decidePart(policy, part),
      ...pathsNamed(part).map((named) => onPath(decidePath(named.request), named)),
    ]),
  );
}

/** What is dangerous in a line, for Narc's report. */
export function hazardsIn(command: string): Hazard[] {
  const shell = readShell(command);
  return shell.kind === "unreadable" ? [] : shell.parts.flatMap((part) => hazardOf(part) ?? []);
}

/** deny > ask > allow; among equals the first. */
function worst(decisions: readonly Decision[]): Decision {
  const rank = { deny: 2, ask: 1, allow: 0 } as const;
  return decisions.reduce((bad, next) => (rank[next.kind] > rank[bad.kind] ? next : bad));
}

function decidePart({ commands }: Policy, part: Part): Decision {
  const shown = part.text.slice(0, 300);
  const denied = commands.deny.find((pattern) => mentions(pattern, part));
  if (denied !== undefined)
    return { kind: "deny", rule: `commands.deny:${denied}`, reason: `the policy forbids \`${denied}\`` };
  const hazard = hazardOf(part);
  if (hazard?.verdict === "deny") return { kind: "deny", rule: `hazard.${hazard.name}`, reason: hazard.why };
  if (hazard) return { kind: "ask", rule: `hazard.${hazard.name}`, question: `${hazard.why}. Run \`${shown}\`?` };
  const asked = commands.ask.find((pattern) => mentions(pattern, part));
  if (asked !== undefined) return { kind: "ask", rule: `commands.ask:${asked}`, question: `Run \`${shown}\`?` };
  const allowed = commands.allow.find((pattern) => permits(pattern, part));
  if (allowed !== undefined) return { kind: "allow", rule: `commands.allow:${allowed}` };
  if (commands.default === "deny")
    return { kind: "deny", rule: "commands.default", reason: `no rule allows \`${shown}\`` };
  return { kind: "ask", rule: "commands.default", question: `Run \`${shown}\`?` };
}

/** For deny and ask: the pattern's words occur in this order anywhere in the part, so options between them do not hide it. An unseen word may be any of them. */
function mentions(pattern: string, part: Part): boolean {
  if (pattern === "*") return true;
  const wanted = pattern.split(/\s+/).filter((word) => word !== "*");
  let found = 0;
  for (const word of part.words) {
    const name = found === 0 ? (word.text.split("/").at(-1) ?? "") : word.text;
    if (word.dynamic || wordMatches(wanted[found] ?? "", name)) found += 1;
    if (found === wanted.length) return true;
  }
  return false;
}

/** For allow: the words are exactly these, from the first one on; only a last `*` stands for any rest. Wrapped or prefixed commands need `*`. */
function permits(pattern: string, part: Part): boolean {
  if (pattern === "*") return true;
  if (part.wrapped || part.assigns.length > 0 || part.words.some((word) => word.dynamic)) return false;
  if (part.redirects.some(({ operator, target }) => operator.includes(">") && target.text !== "/dev/null"))
    return false;
  const wanted = pattern.split(/\s+/);
  const open = wanted.at(-1) === "*";
  const fixed = open ? wanted.slice(0, -1) : wanted;
  if (part.words.length < fixed.length || (!open && part.words.length > fixed.length)) return false;
  return fixed.every((word, index) => wordMatches(word, part.words[index]?.text ?? ""));
}

/** C3. A word that may be a mere search pattern is worth a question, not a denial. */
function onPath(decision: Decision, { request: { path }, sure }: NamedPath): Decision {
  if (decision.kind === "allow") return decision;
  if (decision.kind === "deny" && sure)
    return { ...decision, reason: `the command touches a protected file: ${decision.reason}` };
  return {
    kind: "ask",
    rule: decision.rule,
    question: `The command names ${path.slice(0, 200)}, which is protected. Run it?`,
  };
}
