/* oxlint-disable oxc/no-barrel-file -- where authors find scorers */
export {
  faithfulnessScorer,
  latencyScorer,
  relevancyScorer,
  schemaAdherenceScorer,
  toxicityScorer,
  type LatencyOptions,
} from "@smooth/engine/scorers/built-in";
export {
  createScorer,
  llmJudge,
  type CreateScorerConfig,
  type JudgeModel,
  type LlmJudgeConfig,
  type SamplingConfig,
  type Scorer,
  type ScorerBinding,
  type ScorerContext,
  type ScoreResult,
  type ScorerFn,
  type ScorerInput,
  type ScorersMap,
} from "@smooth/engine/scorers";
export {
  aggregateScores,
  scoresOfRun,
  type AggregateOptions,
  type AggregateScore,
  type ScoreRow,
} from "@smooth/engine/scorers/aggregate";
