import { lookup } from "node:dns/promises";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { isPublicAddress } from "../wonk/host.ts";
import { outcomeRefusal, refusalBody, type Refusal } from "./refusal.ts";
import type { Answer } from "../access/gate.ts";
import type { AuditLine, ModelRoute, NetworkRequest } from "./door.ts";
import type { Target } from "./target.ts";

/** One request on its way out: judged, resolved, pinned, audited.
 *  G1. No byte reaches the network before Wonk, or a person, said yes to that host, port, method and path.
 *  G2. Wonk slow, dead or unreadable means no.
 *  G3. The name is resolved once; every address must be public; the socket goes to that very address.
 *  G4. Every request leaves one audit line, whatever became of it. */

export interface GoalieOptions {
  judge(request: NetworkRequest): Promise<Answer>;
  readonly modelRoute?: ModelRoute;
  /** Known secret values that must not leave; read anew for every request. */
  secrets(): readonly string[];
  audit(line: AuditLine): void;
  /** All addresses of a name; the system's resolver by default. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /** Public addresses by default; tests allow loopback. */
  readonly addressAllowed?: (address: string) => boolean;
  /** Where only TLS for the named host may be spoken (G7). */
  readonly tlsPorts?: readonly number[];
  readonly limits?: Partial<Limits>;
}

export interface Limits {
  readonly decisionMs: number;
  readonly connectMs: number;
  readonly idleMs: number;
  readonly maxRequestBytes: number;
  readonly maxResponseBytes: number;
  readonly maxConnections: number;
}

const DEFAULT_LIMITS: Limits = {
  decisionMs: 2_000,
  connectMs: 15_000,
  idleMs: 300_000,
  maxRequestBytes: 64 * 1024 * 1024,
  maxResponseBytes: 256 * 1024 * 1024,
  maxConnections: 256,
};

export type Way =
  | { readonly kind: "open"; readonly address: string; readonly rule: string }
  | { readonly kind: "shut"; readonly refusal: Refusal };

export class Crossing {
  readonly options: GoalieOptions;
  readonly target: Target;
  readonly method: string;
  readonly limits: Limits;
  rule = "none";
  #bytesOut = 0;
  #bytesIn = 0;
  #closed = false;

  constructor(options: GoalieOptions, target: Target, method: string) {
    this.options = options;
    this.target = target;
    this.method = method;
    this.limits = limitsOf(options);
  }

  readonly sent = (count: number): void => void (this.#bytesOut += count);
  readonly received = (count: number): void => void (this.#bytesIn += count);

  /** Never rejects. */
  async open(): Promise<Way> {
    const judged = await this.#judge();
    if (judged !== null) return { kind: "shut", refusal: judged };
    const addresses = await this.#addresses();
    const address = addresses[0];
    const allowed = this.options.addressAllowed ?? isPublicAddress;
    if (address === undefined)
      return { kind: "shut", refusal: { status: 502, rule: "goalie.dns", message: "the name does not resolve" } };
    if (!addresses.every(allowed))
      return {
        kind: "shut",
        refusal: { status: 403, rule: "goalie.private-address", message: "the name leads to a private address" },
      };
    return { kind: "open", address, rule: this.rule };
  }

  /** G4 */
  close(verdict: "allowed" | "blocked", status: number, rule = this.rule): void {
    if (this.#closed) return;
    this.#closed = true;
    const { host, port, path = null } = this.target;
    this.options.audit({
      host,
      port,
      method: this.method,
      path: path?.split("?")[0] ?? null,
      verdict,
      rule,
      status,
      bytesOut: this.#bytesOut,
      bytesIn: this.#bytesIn,
    });
  }

  /** G2 */
  async #judge(): Promise<Refusal | null> {
    const { host, port, path } = this.target;
    const request: NetworkRequest = {
      kind: "network",
      host,
      port,
      method: this.method,
      ...(path === undefined ? {} : { path }),
    };
    const answer = await withDeadline(this.options.judge(request), this.limits.decisionMs);
    const kind: unknown = answer?.kind;
    if (!answer || (kind !== "allow" && kind !== "deny" && kind !== "ask"))
      return { status: 403, rule: "goalie.no-decision", message: "the policy authority did not answer" };
    this.rule = answer.rule;
    if (answer.kind === "allow") return null;
    if (answer.kind === "deny") return { status: 403, rule: answer.rule, message: answer.reason };
    const outcome = await answer.outcome.catch(() => ({ kind: "void", reason: "the question was lost" }) as const);
    return outcome.kind === "approved" ? null : outcomeRefusal(outcome, answer.rule);
  }

  /** G3 */
  async #addresses(): Promise<readonly string[]> {
    const resolve =
      this.options.resolve ??
      (async (host: string) => (await lookup(host, { all: true })).map(({ address }) => address));
    return (await withDeadline(resolve(this.target.host), this.limits.connectMs)) ?? [];
  }
}

export function limitsOf(options: GoalieOptions): Limits {
  return { ...DEFAULT_LIMITS, ...options.limits };
}

/** A whole HTTP/1.1 answer on a socket that left the HTTP server (CONNECT, Upgrade). */
export function writeRefusal(socket: Duplex, refusal: Refusal, host: string): void {
  const body = refusalBody(refusal, host);
  socket.end(
    `HTTP/1.1 ${refusal.status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authorization",
  "proxy-authenticate",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "host",
]);

/** Raw header pairs, intact in spelling and order, without what belongs to one hop. */
export function endToEndHeaders(message: IncomingMessage): string[] {
  const named = new Set((message.headers.connection ?? "").split(",").map((name) => name.trim().toLowerCase()));
  const pairs: string[] = [];
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    const [name = "", value = ""] = [message.rawHeaders[at], message.rawHeaders[at + 1]];
    if (!HOP_BY_HOP.has(name.toLowerCase()) && !named.has(name.toLowerCase())) pairs.push(name, value);
  }
  return pairs;
}

/** Null when the promise is late or rejects. */
async function withDeadline<T>(work: Promise<T>, deadlineMs: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), deadlineMs);
  });
  return Promise.race([work.catch(() => null), late]).finally(() => clearTimeout(timer));
}
