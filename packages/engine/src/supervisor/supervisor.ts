/** Brings runs further that nobody works on: their owner is gone, or what they waited for has come.
 *  U1. One run's trouble is its own: whatever it throws, the others are served in the same round.
 *  U2. A run is taken up by one process: the claim decides, and a lost claim is no failure.
 *  U3. A death is written down before the run is taken up again, so that what kills its process is counted even then. */
import type { Clock, Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { checkNumber } from "@smooth/protocol/numbers";
import { cancelOrphans, findResumable, type Resumable } from "../run/control.ts";
import type { ErrorInfo } from "../run/events.ts";
import { errorInfo } from "../run/failure.ts";
import type { OwnerCheck } from "../run/ownership.ts";
import type { RunRow, RunStore } from "../store/port.ts";
import { diedInVain, GIVE_UP, judge, type GiveUpPolicy } from "./give-up.ts";

export interface SupervisorDeps extends Omit<OwnerCheck, "nowMs"> {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes the run up; resolves when it is under way. Throws what `resumeRun` throws. */
  readonly resume: (run: RunRow) => Promise<unknown>;
  /** Before a run of a dead owner is taken up: ends what that owner left running. */
  readonly reapOrphans?: (() => Promise<unknown>) | undefined;
  /** More to look after in every round (schedules, retention). */
  readonly alsoDo?: (() => Promise<unknown>) | undefined;
  /** A run waits for a person from now on. */
  readonly onGivenUp?: ((runId: string, error: ErrorInfo) => void) | undefined;
  readonly intervalMs?: number | undefined;
  /** Runs taken up in one round. */
  readonly maxPerRound?: number | undefined;
  readonly giveUp?: GiveUpPolicy | undefined;
}

export interface Round {
  readonly resumed: readonly string[];
  readonly failed: readonly string[];
  readonly waiting: readonly string[];
  readonly givenUp: readonly string[];
}

type RoundResult = keyof Round;

const NOTHING: Round = { resumed: [], failed: [], waiting: [], givenUp: [] };
const INTERVAL_MS = 2_000;
const MAX_PER_ROUND = 16;

export class Supervisor implements AsyncDisposable {
  readonly #deps: SupervisorDeps;
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #round: Promise<Round> = Promise.resolve(NOTHING);

  /** Throws INVALID_INPUT. */
  constructor(deps: SupervisorDeps) {
    checkNumber("intervalMs of a supervisor", deps.intervalMs, { least: 1 });
    checkNumber("maxPerRound of a supervisor", deps.maxPerRound, { least: 1, whole: true, orInfinity: true });
    this.#deps = deps;
  }

  /** Rounds from now on, until disposed. */
  start(): void {
    this.#loop ??= this.#run();
  }

  /** One round. Who asks while one is under way gets one that begins after it. */
  tick(): Promise<Round> {
    this.#round = this.#round.then(
      () => this.#serve(),
      () => this.#serve(),
    );
    return this.#round;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SmoothError("CANCELLED", "the supervisor stops"));
    await this.#loop;
    await this.#round.catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { clock, log, intervalMs = INTERVAL_MS } = this.#deps;
    while (!this.#stop.signal.aborted) {
      await this.tick().catch((error: unknown) => log.error("supervisor.round-failed", { error: String(error) }));
      await clock.sleep(intervalMs, this.#stop.signal).catch(() => undefined);
    }
  }

  async #serve(): Promise<Round> {
    const { store, clock, isAlive, host, maxPerRound = MAX_PER_ROUND, alsoDo } = this.#deps;
    const round = { resumed: [] as string[], failed: [] as string[], waiting: [] as string[], givenUp: [] as string[] };
    await this.#quietly("supervisor.extra-failed", alsoDo);
    const check = { isAlive, host, nowMs: clock.now() };
    await this.#quietly("supervisor.orphans-failed", () => cancelOrphans(store, check));
    const found = await findResumable(store, check);
    if (found.some(({ run }) => run.owner !== null))
      await this.#quietly("supervisor.reap-failed", this.#deps.reapOrphans);
    for (const resumable of found) {
      if (this.#stop.signal.aborted || round.resumed.length >= maxPerRound) break;
      const result = await this.#look(resumable);
      if (result) round[result].push(resumable.run.runId);
    }
    return round;
  }

  async #quietly(event: string, what: (() => Promise<unknown>) | undefined): Promise<void> {
    await what?.().catch((error: unknown) => this.#deps.log.error(event, { error: String(error) }));
  }

  /** U1 */
  async #look({ run }: Resumable): Promise<RoundResult | null> {
    const { log } = this.#deps;
    try {
      return await this.#serveOne(run);
    } catch (error) {
      log.error("supervisor.run-failed", { runId: run.runId, error: String(error) });
      return "failed";
    }
  }

  async #serveOne(run: RunRow): Promise<RoundResult | null> {
    const { store, clock, giveUp = GIVE_UP } = this.#deps;
    const { runId, epoch } = run;
    if (run.owner !== null && diedInVain(await store.events(runId, 0), epoch))
      await this.#noteFailure(run, "died", { code: "INTERNAL", message: "The process that worked on it died." }); // U3
    const verdict = judge(await store.events(runId, 0), clock.now(), giveUp);
    if (verdict.kind === "wait") return "waiting";
    if (verdict.kind === "resume") return this.#resume(run);
    const { failures, error } = verdict;
    const message = `given up after ${failures} failed resumes: ${error.message}`;
    await store.note({
      runId,
      atMs: clock.now(),
      events: [{ type: "run.given-up", failures, error }],
      at: { epoch, error: { ...error, code: "AUTO_RESUME_GAVE_UP", message } },
    });
    this.#deps.onGivenUp?.(runId, error);
    this.#deps.log.error("supervisor.gave-up", { runId, failures, error: error.message });
    return "givenUp";
  }

  async #resume(run: RunRow): Promise<RoundResult | null> {
    try {
      await this.#deps.resume(run);
      return "resumed";
    } catch (error) {
      const info = errorInfo(error);
      if (TAKEN.has(info.code)) return null; // U2
      await this.#noteFailure(run, "refused", info);
      return "failed";
    }
  }

  async #noteFailure({ runId, epoch }: RunRow, how: "refused" | "died", error: ErrorInfo): Promise<void> {
    const { store, clock, log } = this.#deps;
    log.warn("supervisor.resume-failed", { runId, how, error: error.message });
    await store.note({ runId, atMs: clock.now(), events: [{ type: "run.resume-failed", epoch, how, error }] });
  }
}

const TAKEN = new Set(["RUN_CLAIM_LOST", "RUN_OWNER_ALIVE", "RUN_NOT_RESUMABLE"]);
