import { SmoothError } from "@smooth/protocol/errors";
import { PublicJwk } from "@smooth/protocol/host-sync";
import { z } from "zod";

/** Every setting of the dashboard. One error names everything that is wrong with them. */

const json = <T extends z.ZodType>(type: T) =>
  z.string().transform((text, context): z.output<T> => {
    try {
      return type.parse(JSON.parse(text));
    } catch {
      context.addIssue({ code: "custom", message: "not the JSON this setting takes" });
      return z.NEVER;
    }
  });

const Env = z.object({
  /** `postgresql://…` or `pglite:<directory>` */
  DATABASE_URL: z.string().min(1),
  AUTH_SECRET: z.string().min(32),
  /** Where people reach the dashboard. */
  AUTH_URL: z.url(),
  /** Private Ed25519 JWK: signs tickets and assertions. */
  DASHBOARD_KEY: json(PublicJwk.extend({ d: z.string() })),
  /** `th.smoo.ai` */
  RENDEZVOUS_DOMAIN: z.string().min(1),
  RENDEZVOUS_CONNECT_URL: z.url(),
  /** With `{slug}`. */
  RENDEZVOUS_PUBLIC_URL: z.string().includes("{slug}"),
  /** The outbox of sign-in links lies here. */
  DATA_DIR: z.string().min(1),
});
export type Env = z.infer<typeof Env>;

let read: Env | undefined;

/** Read at first use, not at build. */
export function env(): Env {
  if (read) return read;
  const parsed = Env.safeParse(process.env);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new SmoothError("CONFIG_INVALID", `unusable settings:\n  ${lines.join("\n  ")}`);
  }
  return (read = parsed.data);
}
