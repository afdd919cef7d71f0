import { parse as parseToml } from "smol-toml";
import { z } from "zod";
import { isGlob } from "./glob.ts";
import { ruleMatchesUrl } from "./network.ts";

/** What a policy may say. Every field that parses is enforced in decide.ts; an unknown field is an error, not a wish.
 *  W2. Text that is not a whole, valid policy is no policy: it denies everything. */

const Glob = z.string().max(1_000).refine(isGlob, "a glob of *, ** and ? only");
const Globs = z.array(Glob).max(1_000).default([]);

/** `api.example.org` or `*.example.org` (which does not cover `example.org` itself, and needs two labels after the star). */
const Domain = z
  .string()
  .max(253)
  .regex(/^(?:\*\.[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9-]+(?:\.[a-z0-9-]+)+)$/, "a lower-case host name or *.suffix");

export const HostRule = z.strictObject({
  domain: Domain,
  ports: z.array(z.int().min(1).max(65_535)).default([443, 80]),
  /** Absent: every method, CONNECT too. */
  methods: z.array(z.string().regex(/^[A-Z]{1,16}$/)).optional(),
  /** Absent: every path. A tunnel shows no path, so an allow rule with paths never covers CONNECT. */
  paths: z.array(z.string().startsWith("/").refine(isGlob)).optional(),
  /** URLs this rule must and must not match; checked at load. */
  allow_examples: z.array(z.url()).optional(),
  deny_examples: z.array(z.url()).optional(),
});
export type HostRule = z.infer<typeof HostRule>;
const HostRules = z.array(HostRule).max(1_000).default([]);

/** Words in order: `git push`, `npm run *`, or `*` for everything that is not a hazard. */
const CommandPatterns = z.array(z.string().trim().min(1).max(500)).max(1_000).default([]);

export const Policy = z.strictObject({
  metadata: z.strictObject({
    name: z.string().max(200),
    operator_id: z.string().optional(),
    pearl_id: z.string().optional(),
  }),
  network: z
    .strictObject({
      /** For public hosts on 80 and 443 that no rule names. */
      default: z.enum(["deny", "ask"]).default("deny"),
      max_response_bytes: z
        .int()
        .positive()
        .default(256 * 1024 * 1024),
      deny: HostRules,
      ask: HostRules,
      allow: HostRules,
    })
    .prefault({}),
  filesystem: z
    .strictObject({
      deny_patterns: Globs,
      ask_patterns: Globs,
      write_deny_patterns: Globs,
      write_ask_patterns: Globs,
      readable: Globs,
      writable: Globs,
    })
    .prefault({}),
  tools: z.strictObject({ deny: Globs, ask: Globs, allow: Globs }).prefault({}),
  commands: z
    .strictObject({
      default: z.enum(["deny", "ask"]).default("deny"),
      deny: CommandPatterns,
      ask: CommandPatterns,
      allow: CommandPatterns,
    })
    .prefault({}),
  pearls: z
    .strictObject({
      /** The assigned pearl and its sub-pearls: read and write. */
      accessible: z.array(z.string()).max(10_000).default([]),
      /** The dependency closure: read only (see pearl-scope.ts). */
      readable: z.array(z.string()).max(10_000).default([]),
      include_dependencies: z.boolean().default(true),
      max_depth: z.int().min(0).max(5).default(2),
    })
    .prefault({}),
});
export type Policy = z.infer<typeof Policy>;

export type LoadedPolicy =
  | { readonly kind: "policy"; readonly policy: Policy }
  | { readonly kind: "broken"; readonly reason: string; readonly policy: Policy };

/** W2. Always carries a policy to enforce: a broken file's is the one that denies all. */
export function loadPolicy(toml: string): LoadedPolicy {
  let table: unknown;
  try {
    table = parseToml(toml);
  } catch (error) {
    return broken(`not TOML: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : "unreadable"}`);
  }
  const parsed = Policy.safeParse(table);
  if (!parsed.success) return broken(z.prettifyError(parsed.error));
  const liar = failedExample(parsed.data);
  return liar === null ? { kind: "policy", policy: parsed.data } : broken(liar);
}

export function denyAll(): Policy {
  return Policy.parse({ metadata: { name: "deny-all" } });
}

/** An organisation's overlay adds denies; nothing below it can waive them, because deny is read first. */
export function withDenies(policy: Policy, overlay: Policy): Policy {
  const { network, filesystem, tools, commands } = overlay;
  return {
    ...policy,
    network: {
      ...policy.network,
      deny: [...network.deny, ...policy.network.deny],
      max_response_bytes: Math.min(policy.network.max_response_bytes, network.max_response_bytes),
    },
    filesystem: {
      ...policy.filesystem,
      deny_patterns: [...filesystem.deny_patterns, ...policy.filesystem.deny_patterns],
      write_deny_patterns: [...filesystem.write_deny_patterns, ...policy.filesystem.write_deny_patterns],
    },
    tools: { ...policy.tools, deny: [...tools.deny, ...policy.tools.deny] },
    commands: { ...policy.commands, deny: [...commands.deny, ...policy.commands.deny] },
  };
}

function broken(reason: string): LoadedPolicy {
  return { kind: "broken", reason, policy: denyAll() };
}

function failedExample({ network }: Policy): string | null {
  for (const rule of [...network.deny, ...network.ask, ...network.allow]) {
    const missed = rule.allow_examples?.find((url) => !ruleMatchesUrl(rule, url));
    if (missed !== undefined) return `rule ${rule.domain} does not match its example ${missed}`;
    const caught = rule.deny_examples?.find((url) => ruleMatchesUrl(rule, url));
    if (caught !== undefined) return `rule ${rule.domain} matches ${caught}, which it should not`;
  }
  return null;
}
