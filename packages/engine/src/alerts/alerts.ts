/** Watches one run by its alert policy: raises what is due as events, and reacts.
 *  A2. A reaction follows the committed event of its alert; what it did, or why it could not, is an event too. A crash between the two
 *      repeats the reaction, never the alert. A question that is open is not asked again.
 *  A3. Nothing here fails the run. Only the end of the run itself has no event after it: such an alert is logged and delivered. */
import type { Clock, Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { RunEventBody, StoredEvent } from "../run/events.ts";
import type { NewApproval } from "../store/port.ts";
import { errorInfo } from "../run/failure.ts";
import type { Stop } from "../task/stop.ts";
import { alertKey, ASKING, dueAlerts, foldAlert, noFacts, type DueAlert } from "./decide.ts";
import type { AlertRule, SmithersAlertReaction } from "./policy.ts";

type Raised = Extract<StoredEvent, { type: "alert.raised" }>;
/** What is told to a destination. */
export type Alert = Omit<Extract<RunEventBody, { type: "alert.raised" }>, "type"> & { readonly runId: string };
export type DeliverAlert = (alert: Alert, destination: string) => Promise<void>;

/** The run as alerts may treat it. */
export interface AlertedRun {
  isOver(): boolean;
  /** Written with the next flush, and what people are asked with it. */
  record(event: RunEventBody, asks?: readonly NewApproval[]): void;
  stop(stop: { readonly status: "cancelled" }): void;
}

export interface AlertsInput {
  readonly runId: string;
  readonly workflow: WorkflowDefinition;
  readonly clock: Clock;
  readonly log: Log;
  readonly deliverAlert: DeliverAlert | null;
  /** What happened before this process took the run up. */
  readonly past: readonly StoredEvent[];
}

/** Null for a workflow without an alert policy. `over` aborts when the run leaves this process. */
export function alertsOf(input: AlertsInput, run: AlertedRun, over: Stop): Alerts | null {
  const rules = input.workflow.alerts ?? [];
  return rules.length === 0 ? null : new Alerts({ ...input, rules }, run, over.signal);
}

export class Alerts {
  readonly #in: AlertsInput & { readonly rules: readonly AlertRule[] };
  readonly #run: AlertedRun;
  readonly #facts = noFacts();
  /** Raised and not reacted to. */
  readonly #open = new Map<string, Raised>();
  /** Recorded and not committed yet. */
  readonly #recorded = new Set<string>();
  /** Nodes whose question is open. */
  readonly #asked = new Set<string>();
  readonly #over: AbortSignal;
  #wake = new AbortController();
  #heardSeq = 0;

  constructor(input: AlertsInput & { readonly rules: readonly AlertRule[] }, run: AlertedRun, over: AbortSignal) {
    this.#in = input;
    this.#run = run;
    this.#over = over;
    for (const event of input.past) this.#fold(event);
  }

  /** The events of the run, in order. */
  hear(event: StoredEvent): void {
    if (event.seq <= this.#heardSeq) return;
    this.#fold(event);
    if (event.type === "alert.raised") void this.#react(event);
    if (event.type === "approval.decided" && event.nodeId.startsWith(ASKING) && event.verdict === "deny")
      this.#run.stop({ status: "cancelled" });
    this.look();
  }

  /** Raises what is due, and takes up reactions that a crash has cut off. */
  look(): void {
    this.#wake.abort();
    if (this.#over.aborted) return;
    const { due, dueMs } = dueAlerts(this.#in.rules, this.#facts, this.#in.clock.now());
    for (const alert of due) this.#raise(alert);
    if (dueMs !== null && !this.#run.isOver()) void this.#lookAt(dueMs);
  }

  resume(): void {
    for (const raised of this.#open.values()) void this.#react(raised);
    this.look();
  }

  async #lookAt(dueMs: number): Promise<void> {
    const wake = (this.#wake = new AbortController());
    const slept = this.#in.clock.sleep(dueMs - this.#in.clock.now(), AbortSignal.any([wake.signal, this.#over]));
    await slept.then(
      () => this.look(),
      () => {}, // something else has happened first
    );
  }

  #raise({ rule, holding }: DueAlert): void {
    const { name: alert, when, severity, owner, runbook, labels, reaction } = rule;
    const { subject, message } = holding;
    const key = alertKey(alert, subject);
    if (this.#recorded.has(key)) return;
    const about = { alert, when, subject, message, severity, owner, runbook, labels, reaction };
    if (this.#run.isOver()) return this.#afterTheEnd(about); // A3
    this.#recorded.add(key);
    this.#run.record({ type: "alert.raised", ...about });
  }

  #fold(event: StoredEvent): void {
    this.#heardSeq = event.seq;
    foldAlert(this.#facts, event);
    if (event.type === "approval.opened") this.#asked.add(event.nodeId);
    if (event.type === "approval.decided") this.#asked.delete(event.nodeId);
    if (event.type !== "alert.raised" && event.type !== "alert.reacted") return;
    const key = alertKey(event.alert, event.subject);
    this.#recorded.delete(key);
    if (event.type === "alert.raised") this.#open.set(key, event);
    else this.#open.delete(key);
  }

  /** A2 */
  async #react(raised: Raised): Promise<void> {
    const { alert, subject } = raised;
    const failed = await this.#perform(raised).catch(errorInfo);
    if (this.#over.aborted) return;
    this.#run.record({ type: "alert.reacted", alert, subject, ...(failed ? { error: failed } : {}) });
    if (raised.reaction.kind === "pause") this.#run.record({ type: "run.pause-requested", by: `${ASKING}${alert}` });
    if (raised.reaction.kind === "cancel") this.#run.stop({ status: "cancelled" });
  }

  async #perform(raised: Raised): Promise<undefined> {
    const { reaction, alert, subject, message } = raised;
    this.#in.log.warn("alert.raised", { runId: raised.runId, alert, subject, severity: raised.severity, message });
    if (reaction.kind === "open-approval") this.#ask(raised);
    if (reaction.kind === "deliver") await this.#deliver(raised, reaction.destination);
    return undefined;
  }

  #ask({ alert, subject, message }: Raised): void {
    const nodeId = `${ASKING}${alert}:${subject}`.replaceAll("::", "#");
    if (this.#asked.has(nodeId)) return; // A2
    const title = `${message}. Go on?`;
    const ask = {
      nodeId,
      iteration: 0,
      request: { title },
      mode: "approve",
      workflow: this.#in.workflow.name,
    } as const;
    const opened = { type: "approval.opened", nodeId, iteration: 0, title, dueMs: null, again: 0 } as const;
    this.#run.record(opened, [{ ...ask, decided: null }]);
  }

  async #deliver(alert: Alert, destination: string): Promise<void> {
    const { deliverAlert: deliver } = this.#in;
    if (!deliver) throw new SmoothError("CONFIG_INVALID", `nobody here delivers alerts to ${destination}`);
    await deliver(alert, destination);
  }

  /** A3 */
  #afterTheEnd(about: Omit<Alert, "runId"> & { readonly reaction: SmithersAlertReaction }): void {
    const { runId, log } = this.#in;
    const { alert, subject, severity, message } = about;
    this.#facts.raisedAtMs.set(alertKey(alert, subject), this.#in.clock.now());
    log.warn("alert.raised", { runId, alert, subject, severity, message });
    if (about.reaction.kind !== "deliver") return;
    this.#deliver({ ...about, runId }, about.reaction.destination).catch((error: unknown) =>
      log.warn("alert.undelivered", { runId, alert, error: String(error) }),
    );
  }
}
