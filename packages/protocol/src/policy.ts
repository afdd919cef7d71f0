import { z } from "zod";

/** What Wonk is asked, and what he answers. See packages/cast/src/wonk. */

export const AccessRequest = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("network"),
    /** Normalised: lower case, IDNA, no trailing dot, no port. */
    host: z.string().min(1).max(253),
    port: z.int().min(1).max(65_535),
    /** CONNECT for tunnels: path is then unknown and rules with paths do not match. */
    method: z.string().max(16),
    path: z.string().max(8_192).optional(),
  }),
  z.strictObject({ kind: z.literal("tool"), name: z.string().max(100) }),
  /** `path` is resolved: absolute, no `..`, symlinks followed. */
  z.strictObject({ kind: z.literal("read"), path: z.string().max(4_096) }),
  z.strictObject({ kind: z.literal("write"), path: z.string().max(4_096) }),
  z.strictObject({ kind: z.literal("command"), command: z.string().max(100_000) }),
  z.strictObject({ kind: z.literal("pearl"), pearlId: z.string(), access: z.enum(["read", "write"]) }),
]);
export type AccessRequest = z.infer<typeof AccessRequest>;

/** W1. Unknown means deny or ask, never allow. Every answer names the rule that gave it. */
export type Decision =
  | { readonly kind: "allow"; readonly rule: string }
  | { readonly kind: "deny"; readonly rule: string; readonly reason: string }
  | { readonly kind: "ask"; readonly rule: string; readonly question: string };

export const FindingSeverity = z.enum(["info", "warn", "alert", "block"]);
/** What Narc saw. The excerpt is already redacted. */
export const Finding = z.object({
  severity: FindingSeverity,
  category: z.enum(["secret", "injection", "command", "write-guard"]),
  rule: z.string(),
  excerpt: z.string().max(400),
});
export type Finding = z.infer<typeof Finding>;

/** `hardware-vm` > `emulated-vm` > `userspace-kernel` > `namespace` > `process`. */
export const IsolationLevel = z.enum(["hardware-vm", "emulated-vm", "userspace-kernel", "namespace", "process"]);
export type IsolationLevel = z.infer<typeof IsolationLevel>;
