import { StopReason } from "@smooth/protocol/run-events";
import { z } from "zod";

/** What the workflow of a pearl's run asks the host to do. Each method is one recorded step: it may run again only when the
 *  host died inside it, and then continues from the last checkpoint. */

export const Prepared = z.object({
  /** The commit the operator starts from. */
  base: z.string(),
  branch: z.string(),
  /** What the governor runs; null when nothing was declared or found. */
  verify: z.string().nullable(),
});
export const TurnRow = z.object({ text: z.string(), reason: z.string() });
export const EvidenceRow = z.object({
  command: z.string().nullable(),
  exitCode: z.int().nullable(),
  green: z.boolean(),
  failing: z.int().nullable(),
  /** The end of what the command printed; the next turn reads it. */
  output: z.string(),
  costUsd: z.number().nullable(),
  /** Groove's checkpoint of the workspace this evidence is about. */
  checkpoint: z.int(),
});
export const VerdictRow = z.object({
  stop: StopReason.nullable(),
  detail: z.string(),
  /** The checkpoint to go back to, when the last state is not the best. */
  restore: z.int().nullable(),
});
export const DiffRow = z.object({
  hash: z.string(),
  files: z.int(),
  additions: z.int(),
  deletions: z.int(),
  checkpoint: z.int(),
});
export const MergeRow = z.object({ commit: z.string(), branch: z.string() });

export type Prepared = z.infer<typeof Prepared>;
export type TurnRow = z.infer<typeof TurnRow>;
export type EvidenceRow = z.infer<typeof EvidenceRow>;
export type VerdictRow = z.infer<typeof VerdictRow>;
export type DiffRow = z.infer<typeof DiffRow>;
export type MergeRow = z.infer<typeof MergeRow>;

export interface Step {
  readonly iteration: number;
  readonly signal: AbortSignal;
}

export interface PearlWork {
  prepare(step: Step): Promise<Prepared>;
  /** One conversation of the operator, until it says it is done. `feedback` is what the last verify printed. */
  turn(step: Step & { readonly prepared: Prepared; readonly feedback: EvidenceRow | null }): Promise<TurnRow>;
  verify(step: Step & { readonly prepared: Prepared }): Promise<EvidenceRow>;
  /** Pure: the governor's rules over what was recorded. */
  judge(history: readonly EvidenceRow[]): VerdictRow;
  /** Restores the best state when it is not the last, and shows what changed. */
  diff(step: Step & { readonly prepared: Prepared; readonly verdict: VerdictRow }): Promise<DiffRow>;
  merge(step: Step & { readonly prepared: Prepared; readonly diff: DiffRow }): Promise<MergeRow>;
}
