import type { IsolationLevel } from "@smooth/protocol/policy";
import type { PearlStatus } from "@smooth/protocol/pearls";
import type { RunStatus } from "@smooth/protocol/run-events";
import type { ReactNode } from "react";
import { Badge } from "./controls.tsx";

/** Glyph and colour together: state is never told by colour alone. */

const RUN = {
  queued: ["○", "plain", "Queued"],
  running: ["◐", "accent", "Running"],
  paused: ["❄", "plain", "Paused"],
  waiting: ["●", "wait", "Needs you"],
  finished: ["✓", "good", "Finished"],
  failed: ["✕", "bad", "Failed"],
  cancelled: ["✕", "plain", "Cancelled"],
} as const satisfies Record<RunStatus, readonly [string, string, string]>;

export function RunBadge({ status }: { readonly status: RunStatus }): ReactNode {
  const [glyph, tone, text] = RUN[status];
  return (
    <Badge tone={tone}>
      <span aria-hidden="true">{glyph}</span>
      {text}
    </Badge>
  );
}

const PEARL = {
  open: ["○", "plain", "Open"],
  in_progress: ["◐", "accent", "In progress"],
  closed: ["✓", "good", "Closed"],
  deferred: ["❄", "plain", "Deferred"],
} as const satisfies Record<PearlStatus, readonly [string, string, string]>;

export function PearlBadge({ status }: { readonly status: PearlStatus }): ReactNode {
  const [glyph, tone, text] = PEARL[status];
  return (
    <Badge tone={tone}>
      <span aria-hidden="true">{glyph}</span>
      {text}
    </Badge>
  );
}

/** 0 is most urgent. */
export function PriorityBadge({ priority }: { readonly priority: number }): ReactNode {
  return (
    <Badge tone={priority === 0 ? "bad" : "plain"}>
      <span className="sr-only">priority </span>P{priority}
    </Badge>
  );
}

/** Everything the scripted model did is labelled. */
export function DemoBadge(): ReactNode {
  return <Badge tone="accent">DEMO model</Badge>;
}

/** Says how long ago; the exact time is always in the title. */
export function When({ atMs, nowMs }: { readonly atMs: number; readonly nowMs: number }): ReactNode {
  return (
    <time
      dateTime={new Date(atMs).toISOString()}
      title={new Date(atMs).toISOString()}
      className="text-sm whitespace-nowrap text-soft"
      suppressHydrationWarning
    >
      {ago(nowMs - atMs)}
    </time>
  );
}

/** What a sandbox level means to somebody who decides whether to trust it. */
export const LEVELS: Readonly<Record<IsolationLevel, string>> = {
  "hardware-vm": "hardware-isolated VM",
  "emulated-vm": "emulated VM, jailed",
  "userspace-kernel": "user-space kernel",
  namespace: "namespaces only",
  process: "no isolation",
};

/** The default sandbox is a VM; anything less is said aloud. */
export const isVm = (level: IsolationLevel): boolean => level === "hardware-vm" || level === "emulated-vm";

export function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** How long something still lasts. */
export const within = (ms: number): string =>
  ms < 90_000
    ? `${Math.max(0, Math.round(ms / 1_000))} s`
    : ms < 5_400_000
      ? `${Math.round(ms / 60_000)} min`
      : `${Math.round(ms / 3_600_000)} h`;

/** Unpriced is not $0. */
export function cost(costUsd: number | null, unpricedCalls: number): string {
  const unpriced = `${unpricedCalls} unpriced ${unpricedCalls === 1 ? "call" : "calls"}`;
  if (costUsd === null) return unpricedCalls > 0 ? unpriced : "no cost yet";
  const amount = `$${costUsd.toFixed(costUsd < 0.1 ? 4 : 2)}`;
  return unpricedCalls > 0 ? `${amount} + ${unpriced}` : amount;
}
