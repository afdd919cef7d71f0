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

/** Everything the scripted model did is labelled. */
export function DemoBadge(): ReactNode {
  return <Badge tone="accent">DEMO model</Badge>;
}

/** Rendered on the server in UTC and refined in the browser; the exact time is always in the title. */
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

export function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 5) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** Unpriced is not $0. */
export function cost(costUsd: number | null, unpricedCalls: number): string {
  if (costUsd === null) return unpricedCalls > 0 ? `${unpricedCalls} unpriced calls` : "no cost yet";
  const amount = `$${costUsd.toFixed(costUsd < 0.1 ? 4 : 2)}`;
  return unpricedCalls > 0 ? `${amount} + ${unpricedCalls} unpriced calls` : amount;
}
