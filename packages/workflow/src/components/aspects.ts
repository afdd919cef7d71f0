import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { host } from "./host.ts";

type OnExceeded = "fail" | "warn" | "skip-remaining";

export interface TokenBudgetConfig {
  readonly max: number;
  /** Of one task, over all its attempts. */
  readonly perTask?: number;
  readonly onExceeded?: OnExceeded;
}
export interface LatencySloConfig {
  /** Since the run started. */
  readonly maxMs: number;
  /** Milliseconds of one attempt. */
  readonly perTask?: number;
  readonly onExceeded?: "fail" | "warn";
}
export interface CostBudgetConfig {
  readonly maxUsd: number;
  readonly onExceeded?: OnExceeded;
}
export interface TrackingConfig {
  readonly tokens?: boolean;
  readonly latency?: boolean;
  readonly cost?: boolean;
}

export interface AspectsProps {
  readonly tokenBudget?: TokenBudgetConfig;
  readonly latencySlo?: LatencySloConfig;
  readonly costBudget?: CostBudgetConfig;
  /** What the log says of each task that ends; budgets hold regardless. Default: all. */
  readonly tracking?: TrackingConfig;
  readonly children?: ReactNode;
}

/** Budgets for the tasks below, on what the run spends. Inner ones replace outer ones, one by one. */
export const Aspects = (props: AspectsProps): ReactElement => host(HOST.aspects, props);
