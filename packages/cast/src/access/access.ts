import type { Clock, Ids, Log } from "@smooth/platform/ports";
import { type Ask, AskSubject, type PendingAsk } from "@smooth/protocol/asks";
import { SmoothError } from "@smooth/protocol/errors";
import { AskId, type PearlId, type RunId } from "@smooth/protocol/ids";
import type { AccessRequest } from "@smooth/protocol/policy";
import type { Grant } from "../wonk/decide.ts";
import { addRule, liveRules, MAX_TTL_MS, type AllowFile } from "./allow-rules.ts";
import type { AskStore } from "./ask-store.ts";
import { decideAsk, expireAsk, outcomeOf, voidAsk, type AskOutcome, type Verdict } from "./asks.ts";

/** The one queue of asks on a host (promise P7); asks.ts holds the life of a single one.
 *  Q1. An ask is bound to the hash of the exact action: the same action while pending is the same ask, another action is another ask.
 *  Q2. The decision is on disk before anybody who waits hears of it.
 *  Q3. An approval reaches the action once; after a crash the same action finds the answer that was given.
 *  Q4. What a person denied to an operator stays denied for the run; it is not asked again. */

export interface AccessDeps {
  readonly store: AskStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** The project's allow file, for grants of scope `rule`; null: none. */
  allowFileOf(runId: string): AllowFile | null;
  /** Every ask as it opens and as it closes. */
  onChange(ask: Ask): void;
}

export interface AskInput {
  readonly runId: RunId;
  readonly pearlId: PearlId | null;
  readonly subject: AskSubject;
  readonly question: string;
  readonly reason: string;
  readonly risk: "low" | "medium" | "high";
  /** The exact action where the subject does not say it all: a diff's hash, the whole command. */
  readonly action?: string;
  /** What a wider grant would cover; null: this ask only. */
  readonly request: AccessRequest | null;
  /** Null: waits for ever. */
  readonly ttlMs: number | null;
}

export interface OpenAsk {
  readonly ask: Ask;
  /** Never rejects. */
  readonly outcome: Promise<AskOutcome>;
}

export interface Access {
  open(input: AskInput): Promise<OpenAsk>;
  /** Throws ASK_NOT_FOUND, ALREADY_DECIDED, ASK_VOID, POLICY_DENIED. */
  decide(askId: string, verdict: Verdict): Promise<Ask>;
  pending(): PendingAsk[];
  list(filter: { readonly runId?: string | undefined; readonly limit: number }): Ask[];
  find(askId: string): Ask | null;
  /** The action is not wanted any more. */
  withdraw(askId: string, reason: string): void;
  endRun(runId: string, reason: string): void;
  /** What Wonk may count as allowed for this run, now. */
  grantsOf(runId: string): Promise<Grant[]>;
  close(): void;
}

const RULE_TTL_MS = 30 * 24 * 3_600_000;
const RUN_TTL_MS = 24 * 3_600_000;

export function openAccess(deps: AccessDeps): Access {
  return new Queue(deps);
}

class Queue implements Access {
  readonly #deps: AccessDeps;
  readonly #waiting = new Map<string, ((outcome: AskOutcome) => void)[]>();
  readonly #closing = new AbortController();
  #keeping: Promise<void> = Promise.resolve();

  constructor(deps: AccessDeps) {
    this.#deps = deps;
    for (const ask of deps.store.pending()) this.#expireLater(ask);
  }

  async open(input: AskInput): Promise<OpenAsk> {
    const subject = AskSubject.safeParse(input.subject);
    if (!subject.success)
      throw new SmoothError("INVALID_INPUT", "the action is too large or malformed to be shown to a person");
    const actionHash = await hashOf([input.runId, input.subject, input.action ?? null, input.request]);
    // From here on synchronous: two callers with one action cannot both insert.
    const earlier = this.#deps.store.findAction(input.runId, actionHash);
    const answered = earlier && reusable(earlier.ask, earlier.consumed, input.request !== null);
    if (earlier && answered) {
      this.#deps.store.consume(earlier.ask.id);
      return { ask: earlier.ask, outcome: Promise.resolve(answered) };
    }
    const ask = earlier?.ask.status === "pending" ? earlier.ask : this.#insert(input, actionHash);
    return { ask, outcome: this.#wait(ask.id) };
  }

  async decide(askId: string, verdict: Verdict): Promise<Ask> {
    const stored = this.#deps.store.find(askId);
    if (!stored) throw new SmoothError("ASK_NOT_FOUND", `no ask ${askId}`);
    const deciding = decideAsk(stored.ask, verdict, this.#deps.clock.now());
    if (deciding.kind === "refused") throw new SmoothError(deciding.code, deciding.message, { details: { askId } });
    if (deciding.kind === "repeated") return deciding.ask;
    // Another process may have been faster: then its decision is the answer.
    if (!this.#deps.store.close(deciding.ask)) return this.decide(askId, verdict);
    if (stored.request !== null) await this.#keepRule(deciding.ask, stored.request);
    this.#settle(deciding.ask);
    return deciding.ask;
  }

  pending(): PendingAsk[] {
    return this.#deps.store.pending();
  }

  list(filter: { readonly runId?: string | undefined; readonly limit: number }): Ask[] {
    return this.#deps.store.list(filter);
  }

  find(askId: string): Ask | null {
    return this.#deps.store.find(askId)?.ask ?? null;
  }

  withdraw(askId: string, reason: string): void {
    const ask = this.find(askId);
    if (ask?.status === "pending") this.#finish(voidAsk(ask, reason, this.#deps.clock.now()));
  }

  endRun(runId: string, reason: string): void {
    for (const ask of this.pending()) if (ask.runId === runId) this.withdraw(ask.id, reason);
  }

  async grantsOf(runId: string): Promise<Grant[]> {
    const nowMs = this.#deps.clock.now();
    const own = this.#deps.store
      .runGrants(runId)
      .flatMap(({ ask, request }) =>
        request && ask.status === "decided" && nowMs < ask.decidedAtMs + RUN_TTL_MS ? [{ id: ask.id, request }] : [],
      );
    const file = this.#deps.allowFileOf(runId);
    if (!file) return own;
    const rules = await liveRules(file, nowMs).catch(() => {
      this.#deps.log.warn("access.allow-file-unreadable", { runId });
      return [];
    });
    return [...own, ...rules];
  }

  close(): void {
    this.#closing.abort(new Error("closed"));
  }

  #insert(input: AskInput, actionHash: string): PendingAsk {
    const nowMs = this.#deps.clock.now();
    const { runId, pearlId, subject, question, reason, risk, ttlMs } = input;
    const ask: PendingAsk = {
      id: AskId.parse(this.#deps.ids.next("ask")),
      version: 1,
      status: "pending",
      runId,
      pearlId,
      subject,
      question,
      reason,
      risk,
      actionHash,
      openedAtMs: nowMs,
      expiresAtMs: ttlMs === null ? null : nowMs + ttlMs,
    };
    this.#deps.store.insert(ask, input.request);
    this.#expireLater(ask);
    this.#deps.onChange(ask);
    return ask;
  }

  #wait(askId: string): Promise<AskOutcome> {
    return new Promise((resolve) => {
      this.#waiting.set(askId, [...(this.#waiting.get(askId) ?? []), resolve]);
    });
  }

  #expireLater(ask: PendingAsk): void {
    if (ask.expiresAtMs === null) return;
    const { clock } = this.#deps;
    const expire = (): void => {
      const now = this.find(ask.id);
      if (now?.status === "pending") this.#finish(expireAsk(now, clock.now()));
    };
    // Only `close` aborts the sleep, and then nobody waits for the expiry.
    clock.sleep(Math.max(0, ask.expiresAtMs - clock.now()), this.#closing.signal).then(expire, () => undefined);
  }

  #finish(ask: Ask): void {
    if (this.#deps.store.close(ask)) this.#settle(ask);
  }

  /** Q2 */
  #settle(ask: Ask): void {
    const outcome = outcomeOf(ask);
    const waiting = this.#waiting.get(ask.id) ?? [];
    this.#waiting.delete(ask.id);
    if (outcome === null) return;
    if (waiting.length > 0) this.#deps.store.consume(ask.id);
    for (const wake of waiting) wake(outcome);
    this.#deps.onChange(ask);
  }

  /** A rule that cannot be written still counts for the run. */
  async #keepRule(ask: Ask, request: AccessRequest): Promise<void> {
    if (ask.status !== "decided" || ask.decision.verdict !== "approve" || ask.decision.grant !== "rule") return;
    const file = this.#deps.allowFileOf(ask.runId);
    if (!file) return;
    const nowMs = this.#deps.clock.now();
    const rule = { id: ask.id, by: ask.decidedBy, until_ms: nowMs + Math.min(RULE_TTL_MS, MAX_TTL_MS), request };
    // One after another: two rules for one file must not overwrite each other.
    this.#keeping = this.#keeping
      .then(() => addRule(file, rule, nowMs))
      .catch((error: unknown) => {
        this.#deps.log.warn("access.rule-not-kept", { askId: ask.id, error: String(error) });
      });
    await this.#keeping;
  }
}

/** Q3, Q4. An approval is spent when consumed; a denial holds; "no answer" and void are asked anew. */
function reusable(ask: Ask, consumed: boolean, ofOperator: boolean): AskOutcome | null {
  const outcome = outcomeOf(ask);
  if (outcome?.kind === "approved") return consumed ? null : outcome;
  return outcome?.kind === "denied" && ofOperator ? outcome : null;
}

async function hashOf(action: unknown): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(action)));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
