import { z } from "zod";

const body = "[0-9a-z]{6,40}";
const id = (prefix: string) => z.string().regex(new RegExp(`^${prefix}-${body}$`), `an id like ${prefix}-01jcx2…`);

/** A work item. `th-` is what people type and paste. */
export const PearlId = id("th").brand<"PearlId">();
export type PearlId = z.infer<typeof PearlId>;

/** One execution of a workflow, or of an operator on a pearl. */
export const RunId = id("run").brand<"RunId">();
export type RunId = z.infer<typeof RunId>;

/** Anything that waits for a human. */
export const AskId = id("ask").brand<"AskId">();
export type AskId = z.infer<typeof AskId>;

/** One agent-host, enrolled with a device key. */
export const HostId = id("host").brand<"HostId">();
export type HostId = z.infer<typeof HostId>;

/** A command from the dashboard to a host. */
export const CommandId = id("cmd").brand<"CommandId">();
export type CommandId = z.infer<typeof CommandId>;

/** A DNS label, lower case, no leading, trailing or double hyphen at 3–4 (that would be punycode). */
export const Slug = z
  .string()
  .regex(/^(?!..--)[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])$/, "3–63 characters: a–z, 0–9 and inner hyphens")
  .brand<"Slug">();
export type Slug = z.infer<typeof Slug>;

/** Integer milliseconds since the epoch. */
export const AtMs = z.int().nonnegative();
