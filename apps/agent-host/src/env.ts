import { homedir } from "node:os";
import { join } from "node:path";
import { smoothHome } from "@smooth/platform/node/home";
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";

/** Every setting of the host, read once. One error lists everything that is wrong with them. */

const port = z.coerce.number().int().min(0).max(65_535);

const Env = z.object({
  /** Keys, databases, logs, providers.json. */
  SMOOTH_HOME: z.string().min(1).default(smoothHome({})),
  /** 0 takes a free one. */
  SMOOTH_PORT: port.default(4_400),
  /** The dashboard this host reports to; without it the host works alone. */
  SMOOTH_DASHBOARD_URL: z.url().optional(),
  /** One-time code that enrols this host at the dashboard. */
  SMOOTH_PAIRING_CODE: z.string().optional(),
  SMOOTH_HOST_NAME: z.string().min(1).max(100).optional(),
  /** Sandbox images and snapshots: large, shared between homes, safe to delete. */
  SMOOTH_IMAGES: z
    .string()
    .min(1)
    .default(join(homedir(), ".smooth", "images")),
  /** `bubblewrap`: guests on this machine's own kernel, where no VM can be had. Weaker; every run shows it. */
  SMOOTH_SANDBOX: z.enum(["qemu", "bubblewrap"]).default("qemu"),
  /** `1`: dial the rendezvous as soon as the host is paired. */
  SMOOTH_TUNNEL: z.enum(["0", "1"]).default("0"),
  /** How many operators may run at once; the machine's memory decides when absent. */
  SMOOTH_CAPACITY: z.coerce.number().int().min(1).max(64).optional(),
  /** Runs of workflow files that ended longer ago are forgotten. */
  SMOOTH_KEEP_DAYS: z.coerce.number().positive().max(36_500).default(90),
  /** Of all runs together, with their payloads; over it the oldest that ended are forgotten. No limit when absent. */
  SMOOTH_KEEP_BYTES: z.coerce.number().int().positive().optional(),
  /** JSON `{"host:port": "127.0.0.1"}`: names the DEMO and the tests resolve to this machine. */
  SMOOTH_RESOLVE: z
    .string()
    .default("{}")
    .transform((text, context) => {
      try {
        return z.record(z.string(), z.string()).parse(JSON.parse(text));
      } catch {
        context.addIssue({ code: "custom", message: 'JSON like {"docs.example.com:8080":"127.0.0.1"}' });
        return z.NEVER;
      }
    }),
});

export interface HostEnv {
  readonly home: string;
  readonly port: number;
  readonly dashboardUrl: string | undefined;
  readonly pairingCode: string | undefined;
  readonly hostName: string | undefined;
  readonly images: string;
  readonly tunnelAtStart: boolean;
  readonly capacity: number | undefined;
  readonly sandbox: "qemu" | "bubblewrap";
  readonly keepDays: number;
  readonly keepBytes: number | undefined;
  readonly resolve: Readonly<Record<string, string>>;
}

export function readEnv(source: Readonly<Record<string, string | undefined>>): HostEnv {
  const parsed = Env.safeParse(source);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new SmoothError("CONFIG_INVALID", `unusable settings:\n  ${lines.join("\n  ")}`);
  }
  const env = parsed.data;
  return {
    home: env.SMOOTH_HOME,
    port: env.SMOOTH_PORT,
    dashboardUrl: env.SMOOTH_DASHBOARD_URL,
    pairingCode: env.SMOOTH_PAIRING_CODE,
    hostName: env.SMOOTH_HOST_NAME,
    images: env.SMOOTH_IMAGES,
    tunnelAtStart: env.SMOOTH_TUNNEL === "1",
    capacity: env.SMOOTH_CAPACITY,
    sandbox: env.SMOOTH_SANDBOX,
    keepDays: env.SMOOTH_KEEP_DAYS,
    keepBytes: env.SMOOTH_KEEP_BYTES,
    resolve: env.SMOOTH_RESOLVE,
  };
}
