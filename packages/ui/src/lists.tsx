import type { RunStatus } from "@smooth/protocol/run-events";
import type { PearlStatus } from "@smooth/protocol/pearls";
import type { ReactNode } from "react";
import { Card } from "./controls.tsx";
import type { LinkComponent } from "./shell.tsx";
import { DemoBadge, PearlBadge, PriorityBadge, RunBadge, When } from "./status.tsx";

/** Rows of runs and pearls; one row is one link, tall enough for a thumb. */

export interface RunRow {
  readonly runId: string;
  readonly title: string;
  readonly status: RunStatus;
  readonly reason: string | null;
  readonly demo: boolean;
  readonly updatedAtMs: number;
}

interface RunListProps {
  readonly runs: readonly RunRow[];
  readonly nowMs: number;
  readonly link: LinkComponent;
  readonly hrefOf: (runId: string) => string;
}

export function RunList({ runs, nowMs, link: Link, hrefOf }: RunListProps): ReactNode {
  return (
    <Card>
      <ul className="divide-y divide-line">
        {runs.map((run) => (
          <li key={run.runId}>
            <Link
              href={hrefOf(run.runId)}
              className="flex min-h-14 flex-col gap-x-3 gap-y-1.5 px-4 py-3 hover:bg-sunken sm:flex-row sm:items-center sm:py-2"
            >
              <span className="min-w-0 flex-1">
                <span className="line-clamp-2 font-medium">{run.title}</span>
                {run.reason && <span className="line-clamp-2 text-sm text-soft sm:line-clamp-1">{run.reason}</span>}
              </span>
              <span className="flex items-center gap-2 sm:gap-3">
                <RunBadge status={run.status} />
                {run.demo && <DemoBadge />}
                <span className="ml-auto sm:w-24 sm:text-right">
                  <When atMs={run.updatedAtMs} nowMs={nowMs} />
                </span>
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}

export interface PearlRow {
  readonly id: string;
  readonly title: string;
  readonly status: PearlStatus;
  readonly priority: number;
  readonly repo: string;
  readonly updatedAtMs: number;
}

interface PearlListProps {
  readonly pearls: readonly PearlRow[];
  readonly nowMs: number;
  readonly link: LinkComponent;
}

export function PearlList({ pearls, nowMs, link: Link }: PearlListProps): ReactNode {
  return (
    <Card>
      <ul className="divide-y divide-line">
        {pearls.map((pearl) => (
          <li key={pearl.id}>
            <Link
              href={`/pearls/${pearl.id}`}
              className="flex min-h-14 flex-col gap-x-3 gap-y-1.5 px-4 py-3 hover:bg-sunken sm:flex-row sm:items-center sm:py-2"
            >
              <span className="min-w-0 flex-1">
                <span className="line-clamp-2 font-medium">{pearl.title}</span>
                <span className="block truncate font-mono text-xs text-soft">
                  {pearl.id} · {pearl.repo}
                </span>
              </span>
              <span className="flex items-center gap-2 sm:gap-3">
                <PriorityBadge priority={pearl.priority} />
                <PearlBadge status={pearl.status} />
                <span className="ml-auto sm:w-24 sm:text-right">
                  <When atMs={pearl.updatedAtMs} nowMs={nowMs} />
                </span>
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
