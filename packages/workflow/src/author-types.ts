/** The names under which the documented API speaks of types that live elsewhere in this workspace. */
import type { z } from "zod";
import type { approvalDecisionSchema, approvalRankingSchema, approvalSelectionSchema } from "./create-smithers.ts";

export type ApprovalDecision = z.output<typeof approvalDecisionSchema>;
export type ApprovalSelection = z.output<typeof approvalSelectionSchema>;
export type ApprovalRanking = z.output<typeof approvalRankingSchema>;

/** The row type behind a ref from `outputs`. */
export type InferOutputEntry<T> = T extends z.ZodType ? z.output<T> : never;
