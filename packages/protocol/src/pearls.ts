import { z } from "zod";
import { AtMs, PearlId } from "./ids.ts";

export const PearlStatus = z.enum(["open", "in_progress", "closed", "deferred"]);
export type PearlStatus = z.infer<typeof PearlStatus>;
export const PearlType = z.enum(["task", "bug", "feature", "epic", "chore"]);
export const DependencyType = z.enum(["blocks", "related", "parent-child", "discovered-from"]);

/** 0 is most urgent. */
export const Priority = z.int().min(0).max(4);

export const Pearl = z.object({
  id: PearlId,
  title: z.string().trim().min(1).max(200),
  /** Markdown, kept byte for byte. */
  description: z.string().max(100_000),
  status: PearlStatus,
  priority: Priority,
  type: PearlType,
  labels: z.array(z.string().trim().min(1).max(50)).max(20),
  /** Absolute path of the git repository on the host. */
  repo: z.string().min(1).max(4_096),
  /** Shell command whose exit code 0 means done; detected when absent. */
  verify: z.string().max(2_000).nullable(),
  budgetUsd: z.number().positive().max(10_000).nullable(),
  createdAtMs: AtMs,
  updatedAtMs: AtMs,
  closedAtMs: AtMs.nullable(),
});
export type Pearl = z.infer<typeof Pearl>;

/** What a person gives. */
export const NewPearl = z.strictObject({
  title: Pearl.shape.title,
  description: Pearl.shape.description.default(""),
  priority: Priority.default(2),
  type: PearlType.default("task"),
  labels: Pearl.shape.labels.default([]),
  repo: Pearl.shape.repo,
  verify: Pearl.shape.verify.default(null),
  budgetUsd: Pearl.shape.budgetUsd.default(null),
});
export type NewPearl = z.infer<typeof NewPearl>;

/** `blocks`: `from` cannot start while `to` is not closed. */
export const Dependency = z.object({ from: PearlId, to: PearlId, type: DependencyType });
export type Dependency = z.infer<typeof Dependency>;

export const PearlComment = z.object({
  id: z.string(),
  pearlId: PearlId,
  author: z.string(),
  body: z.string().min(1).max(100_000),
  atMs: AtMs,
});
export type PearlComment = z.infer<typeof PearlComment>;

/** One row per changed field, with the true old value (JSON text). */
export const PearlChange = z.object({
  pearlId: PearlId,
  field: z.string(),
  before: z.string().nullable(),
  after: z.string().nullable(),
  by: z.string(),
  atMs: AtMs,
});
export type PearlChange = z.infer<typeof PearlChange>;
