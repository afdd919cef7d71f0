import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import { memoryLog, type LogLine } from "@smooth/platform/testing";
import { SmoothError } from "@smooth/protocol/errors";
import { GATEWAY, type Handlers } from "@smooth/protocol/gateway";
import type { RunEvent } from "@smooth/protocol/run-events";
import type { RunId } from "@smooth/protocol/ids";
import { createAuthenticate, mintSecret } from "../server/auth.ts";
import { openSessions, type Sessions } from "../server/sessions.ts";
import { serveGateway, type Gateway, type GatewayOptions } from "../server/serve.ts";

/** A real gateway on real sockets in front of handlers a test writes. Methods left out answer INTERNAL. */
export interface TestGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly url: string;
  readonly token: string;
  readonly sessions: Sessions;
  readonly log: readonly LogLine[];
}

export async function serveTestGateway(
  handlers: Partial<Handlers>,
  options: Partial<GatewayOptions> & { readonly dashboard?: Parameters<typeof openSessions>[0]["dashboard"] } = {},
): Promise<TestGateway> {
  const token = mintSecret();
  const sql = openSqlite(":memory:");
  const { dashboard = () => null } = options;
  const sessions = openSessions({ sql, clock: systemClock, ids: systemIds, dashboard });
  const log = memoryLog();
  const gateway = await serveGateway({
    handlers: withDefaults(handlers),
    authenticate: createAuthenticate({ ownerToken: token, ownerName: "ada", sessions }),
    sessions,
    clock: systemClock,
    log,
    version: "0.0.0-test",
    port: 0,
    uiDir: null,
    publicOrigins: () => [],
    ...options,
  });
  return {
    gateway,
    url: gateway.url,
    token,
    sessions,
    log: log.lines,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      sql.close();
    },
  };
}

function withDefaults(handlers: Partial<Handlers>): Handlers {
  const missing = (name: string) => () => {
    throw new SmoothError("INTERNAL", `${name} is not faked here`);
  };
  const whoAmI: Handlers["whoAmI"] = async (_, { name, role, via }) => ({ name, role, via });
  const defaults = Object.fromEntries(Object.keys(GATEWAY).map((name) => [name, missing(name)]));
  return { ...(defaults as unknown as Handlers), whoAmI, ...handlers };
}

export const RUN_ID = "run-00000001" as RunId;

export const noteEvent = (seq: number, text = `note ${seq}`): RunEvent => ({
  runId: RUN_ID,
  seq,
  atMs: 1_800_000_000_000 + seq,
  type: "note",
  text,
});

/** A run with `total` events, already over; any other run is unknown. */
export const finishedRun = (total: number, text?: string): Pick<Handlers, "streamRunEvents"> => ({
  async *streamRunEvents({ runId, afterSeq }, _, signal) {
    if (runId !== RUN_ID) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`);
    for (let seq = afterSeq + 1; seq <= total && !signal.aborted; seq += 1) yield noteEvent(seq, text);
  },
});

/** One event, then silence until the reader goes. `left` settles then. */
export function endlessRun(): { readonly handlers: Pick<Handlers, "streamRunEvents">; readonly left: Promise<void> } {
  const left = Promise.withResolvers<void>();
  return {
    left: left.promise,
    handlers: {
      async *streamRunEvents({ afterSeq }, _, signal) {
        yield noteEvent(afterSeq + 1);
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        left.resolve();
      },
    },
  };
}
