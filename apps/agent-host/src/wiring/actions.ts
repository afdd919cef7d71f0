import type { PearlStore } from "@smooth/pearls/store";
import type { Ask, AskDecision } from "@smooth/protocol/asks";
import { assertNever } from "@smooth/protocol/errors";
import type { RunSummary, TunnelState } from "@smooth/protocol/gateway";
import type { FlowSettings } from "@smooth/protocol/gateway-flows";
import type { HostCommand } from "@smooth/protocol/host-sync";
import type { AskId, PearlId, RunId } from "@smooth/protocol/ids";

/** What can be done on a host, whoever asks: the gateway's handlers and the dashboard's commands both end here. */

export interface RunService {
  /** Starts an operator on a pearl, or a workflow file. With a known `runId` nothing is started twice. */
  launch(what: Launch): Promise<RunId>;
  /** `acceptedBy`: who agrees to go on with a workflow whose files have changed. */
  resume(runId: RunId, acceptedBy?: string): Promise<RunSummary>;
  cancel(runId: RunId, by: string): Promise<void>;
  pause(runId: RunId, by: string): Promise<void>;
  unpause(runId: RunId, by: string): Promise<void>;
  /** Taken once by its id. */
  steer(runId: RunId, words: { readonly id: string; readonly text: string; readonly by: string }): void;
}

export interface Launch {
  readonly subject:
    | { readonly kind: "pearl"; readonly pearlId: PearlId }
    | {
        readonly kind: "workflow";
        readonly file: string;
        readonly input: Readonly<Record<string, unknown>>;
        readonly settings?: FlowSettings;
      };
  readonly runId?: RunId | undefined;
  readonly by: string;
}

export interface AskDesk {
  decide(
    askId: AskId,
    seen: {
      readonly version: number;
      readonly decision: AskDecision;
      readonly by: string;
      /** What the decider may do on this host; the dashboard's members bring none. */
      readonly scopes?: readonly string[];
    },
  ): Promise<Ask>;
}

export interface TunnelService {
  state(): TunnelState;
  start(slug?: string): Promise<TunnelState>;
  stop(): Promise<TunnelState>;
}

export interface HostActions {
  readonly runs: RunService;
  readonly pearls: PearlStore;
  readonly asks: AskDesk;
  readonly tunnel: TunnelService;
}

/** Performs one command from the dashboard. Each may be performed twice without harm: the host may die inside it (sync.ts S1). */
export async function performCommand(actions: HostActions, { commandId, body, by }: HostCommand): Promise<void> {
  const { runs, pearls, asks, tunnel } = actions;
  switch (body.kind) {
    case "createPearl":
      return void pearls.create(body.pearl, by, body.pearlId);
    case "commentPearl":
      return void pearls.comment(body.pearlId, { by, body: body.body, id: body.commentId });
    case "closePearl":
      return void pearls.change(body.pearlId, { status: "closed" }, { by, note: body.reason });
    case "addDependency":
      return pearls.link(body.dependency);
    case "dispatch":
      pearls.adopt(body.pearl, by);
      return void (await runs.launch({ subject: { kind: "pearl", pearlId: body.pearl.id }, runId: body.runId, by }));
    case "decideAsk":
      return void (await asks.decide(body.askId, { version: body.version, decision: body.decision, by }));
    case "steer":
      return runs.steer(body.runId, { id: commandId, text: body.text, by });
    case "pause":
      return runs.pause(body.runId, by);
    case "unpause":
      return runs.unpause(body.runId, by);
    case "cancel":
      return runs.cancel(body.runId, by);
    case "startTunnel":
      return void (await tunnel.start());
    case "stopTunnel":
      return void (await tunnel.stop());
    default:
      return assertNever(body);
  }
}
