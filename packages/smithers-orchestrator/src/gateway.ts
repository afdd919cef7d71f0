import type { Server } from "node:http";
import process from "node:process";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { SmoothError } from "@smooth/protocol/errors";
import type { GatewayAuthConfig } from "./gateway/auth.ts";
import type { OpenPlane, Registered } from "./gateway/control-plane.ts";

export type { GatewayAuthConfig, GatewayTokenGrant } from "./gateway/auth.ts";

export interface GatewayOptions {
  /** Where `smithers.db` is, and what the tools of tasks work in; default: the working directory. */
  readonly rootDir?: string;
  /** Default 1. */
  readonly protocol?: number;
  /** Between the ticks of a socket; default 15,000. */
  readonly heartbeatMs?: number;
  /** Without it only programs of this machine may call, and the Gateway listens on loopback only. */
  readonly auth?: GatewayAuthConfig;
  /** Of POST /rpc; default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Of a frame on a socket; default 1 MiB. */
  readonly maxPayload?: number;
  /** Default 1,000. */
  readonly maxConnections?: number;
  /** Default 30,000 ms. */
  readonly headersTimeout?: number;
  /** Default 60,000 ms. */
  readonly requestTimeout?: number;
}

const DEFAULTS = {
  protocol: 1,
  heartbeatMs: 15_000,
  maxBodyBytes: 1_048_576,
  maxPayload: 1_048_576,
  maxConnections: 1_000,
  headersTimeout: 30_000,
  requestTimeout: 60_000,
};
const KNOWN = new Set([...Object.keys(DEFAULTS), "auth", "rootDir"]);

/** Many registered workflows behind one address, for clients that stay: RPC over HTTP and WebSocket, events, crons. What it does is
 *  in gateway/control-plane.ts, loaded when it listens. */
export class Gateway implements AsyncDisposable {
  readonly #options: GatewayOptions;
  readonly #registered = new Map<string, Registered>();
  #open: OpenPlane | undefined;

  constructor(options: GatewayOptions = {}) {
    const odd = Object.keys(options).find((name) => !KNOWN.has(name));
    if (odd !== undefined)
      throw new SmoothError("PROP_UNSUPPORTED", `Gateway does not implement the option \`${odd}\``);
    this.#options = options;
  }

  /** Before it listens. `schedule`: a cron pattern, in UTC. */
  register(name: string, workflow: WorkflowDefinition, { schedule }: { readonly schedule?: string } = {}): this {
    if (this.#open) throw new SmoothError("CONFLICT", `the gateway listens already; register ${name} before`);
    this.#registered.set(name, { workflow, schedule });
    return this;
  }

  /** Throws CONFIG_INVALID: on another interface without `auth`, or where anybody could be the proxy, or with an `auth` that is none. */
  async listen({
    port = 7331,
    host = "127.0.0.1",
  }: { readonly port?: number; readonly host?: string } = {}): Promise<Server> {
    if (this.#open) throw new SmoothError("CONFLICT", "the gateway listens already");
    const { rootDir = process.cwd(), auth, ...limits } = this.#options;
    const [{ openControlPlane }, { parseAuth }] = await Promise.all([
      import("./gateway/control-plane.ts"),
      import("./gateway/auth.ts"),
    ]);
    const parsed = parseAuth(auth, host);
    this.#open = await openControlPlane({ ...DEFAULTS, ...limits, rootDir, auth: parsed }, this.#registered);
    const { server } = this.#open;
    await new Promise<void>((done, fail) => {
      server.once("error", fail);
      server.listen(port, host, done);
    });
    return server;
  }

  /** Lets its runs go, resumable. */
  async close(): Promise<void> {
    await this.#open?.[Symbol.asyncDispose]();
    this.#open = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
