import type { Clock, Log, Random } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { TunnelState } from "@smooth/protocol/gateway";
import type { Dialer, DialState } from "@smooth/tunnel/dialer";
import type { HostKey } from "@smooth/tunnel/host-key";
import { dial } from "@smooth/tunnel/node/dial";
import type { TunnelService } from "./actions.ts";
import type { Dashboard } from "./dashboard.ts";

/** The host's one tunnel: off, or a dialer that keeps itself connected. What it serves is the gateway's tunnel listener,
 *  where every request needs a session of its own (promise P5). */

interface TunnelDeps {
  /** null while this host is not paired. */
  readonly dashboard: () => Dashboard | null;
  readonly deviceKey: HostKey;
  /** The gateway's tunnel listener. */
  readonly originUrl: string;
  readonly viewers: () => number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onChange: () => void;
}

interface Open {
  readonly slug: string;
  readonly publicUrl: string;
  readonly dialer: Dialer;
}

export interface Tunnel extends TunnelService, AsyncDisposable {
  /** Where viewers come in right now; null when off. */
  publicUrl(): string | null;
}

export function openTunnel(deps: TunnelDeps): Tunnel {
  let open: Open | null = null;
  const state = (): TunnelState => (open ? describe(open, deps.viewers()) : { kind: "off" });
  const stop = async (): Promise<TunnelState> => {
    const was = open;
    open = null;
    await was?.dialer[Symbol.asyncDispose]();
    if (was) deps.onChange();
    return state();
  };
  return {
    state,
    stop,
    publicUrl: () => open?.publicUrl ?? null,
    async start(slug) {
      if (open && open.dialer.state.kind !== "ended" && (slug === undefined || slug === open.slug)) return state();
      await stop();
      open = await dialOut(deps, slug);
      deps.onChange();
      return state();
    },
    [Symbol.asyncDispose]: () => stop().then(() => undefined),
  };
}

async function dialOut(
  { dashboard, deviceKey, originUrl, ...deps }: TunnelDeps,
  wanted: string | undefined,
): Promise<Open> {
  const paired = dashboard();
  if (!paired)
    throw new SmoothError(
      "HOST_OFFLINE",
      "this host is not paired with a dashboard, which gives out slugs; pair it first",
    );
  const first = await paired.ticket(wanted);
  let unused: string | null = first.ticket;
  const getTicket = async (): Promise<{ ticket: string }> => {
    const ticket = unused ?? (await paired.ticket(first.slug)).ticket;
    unused = null;
    return { ticket };
  };
  const dialer = dial({
    connectUrl: first.connectUrl,
    hostKey: deviceKey,
    getTicket,
    origin: { port: Number(new URL(originUrl).port) },
    clock: deps.clock,
    random: deps.random,
    log: deps.log,
    onState: deps.onChange,
  });
  return { slug: first.slug, publicUrl: first.publicUrl, dialer };
}

function describe({ slug, publicUrl, dialer }: Open, viewers: number): TunnelState {
  const line: DialState = dialer.state;
  switch (line.kind) {
    case "serving":
      return { kind: "serving", slug, url: publicUrl, sinceMs: line.sinceMs, viewers };
    case "ended":
      return { kind: "refused", slug, reason: line.message };
    case "dialling":
      return { kind: "dialling", slug, attempt: line.attempt };
    case "offline":
      return { kind: "dialling", slug, attempt: 1 };
  }
}
