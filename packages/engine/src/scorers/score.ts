/** Runs one scorer on one result. Never rejects: a scorer that throws, hangs or answers nonsense is an outcome. */
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { errorInfo } from "../run/failure.ts";
import type { ErrorInfo } from "../run/events.ts";
import type { AgentLike } from "../task/body.ts";
import type { JudgeModel, ScoreResult, ScorerBinding, ScorerInput } from "./scorer.ts";

export type ScoreOutcome =
  | { readonly kind: "scored"; readonly result: ScoreResult; readonly durationMs: number }
  | { readonly kind: "failed"; readonly error: ErrorInfo };

export interface ScoreDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Which agent judges under a model's name. */
  readonly judges?: ((model: JudgeModel) => AgentLike | undefined) | undefined;
}

/** A judge that is silent longer than this has no score to give. */
const SCORER_TIMEOUT_MS = 120_000;

export async function score(binding: ScorerBinding, input: ScorerInput, deps: ScoreDeps): Promise<ScoreOutcome> {
  const { clock, judges } = deps;
  const { scorer, groundTruth, context } = binding;
  const stop = new AbortController();
  const signal = AbortSignal.any([deps.signal, stop.signal]);
  const startedAtMs = clock.now();
  const judge = (model: JudgeModel): AgentLike => judges?.(model) ?? noJudge(model, scorer.id);
  const late = async (): Promise<never> => {
    await clock.sleep(SCORER_TIMEOUT_MS, signal);
    throw new SmoothError("SCORER_FAILED", `scorer ${scorer.id} gave no score for ${SCORER_TIMEOUT_MS} ms`);
  };
  try {
    const scored = (async () => scorer.score({ ...input, groundTruth, context }, { signal, judge }))();
    const result = await Promise.race([scored, late()]);
    return { kind: "scored", result: checked(result, scorer.id), durationMs: clock.now() - startedAtMs };
  } catch (error) {
    return { kind: "failed", error: asScorerError(error) };
  } finally {
    stop.abort(new SmoothError("TASK_ABORTED", "the scorer is done"));
  }
}

/** What goes into the log: a score, a text, and JSON. */
function checked(given: ScoreResult | null | undefined, id: string): ScoreResult {
  const { score, reason, meta } = given ?? {};
  const failed = (what: string, cause?: unknown): SmoothError =>
    new SmoothError("SCORER_FAILED", `scorer ${id} gave ${what}`, { cause });
  if (typeof score !== "number" || !(score >= 0 && score <= 1))
    throw failed(`${String(score)}; a score is a number from 0 to 1`);
  if (reason !== undefined && typeof reason !== "string") throw failed("a reason that is no text");
  try {
    return { score, reason, meta: meta && (JSON.parse(JSON.stringify(meta)) as ScoreResult["meta"]) };
  } catch (cause) {
    throw failed("a meta that cannot be written as JSON", cause);
  }
}

function noJudge({ model }: JudgeModel, id: string): never {
  throw new SmoothError(
    "AGENT_CONFIG_INVALID",
    `scorer ${id} wants to judge with ${model}, which this run does not know; give the scorer an agent`,
  );
}

const asScorerError = (error: unknown): ErrorInfo =>
  error instanceof SmoothError ? errorInfo(error) : { code: "SCORER_FAILED", message: errorInfo(error).message };
