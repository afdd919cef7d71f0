import type { RunStatus } from "@smooth/protocol/run-events";
import type { PearlStatus } from "@smooth/protocol/pearls";
import type { ReactNode } from "react";
import { Badge, Card } from "./controls.tsx";
import type { LinkComponent } from "./shell.tsx";
import { DemoBadge, PearlBadge, RunBadge, When } from "./status.tsx";

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
            <Link href={hrefOf(run.runId)} className="flex min-h-14 items-center gap-3 px-4 py-2 hover:bg-sunken">
              <span className="min-w-0 flex-1">
                <span className="block truncate font-medium">{run.title}</span>
                {run.reason && <span className="block truncate text-sm text-soft">{run.reason}</span>}
              </span>
              {run.demo && (
                <span className="hidden sm:block">
                  <DemoBadge />
                </span>
              )}
              <RunBadge status={run.status} />
              <When atMs={run.updatedAtMs} nowMs={nowMs} />
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
            <Link href={`/pearls/${pearl.id}`} className="flex min-h-14 items-center gap-3 px-4 py-2 hover:bg-sunken">
              <Badge tone={pearl.priority <= 1 ? "wait" : "plain"}>P{pearl.priority}</Badge>
              <span className="min-w-0 flex-1">
                <span className="block truncate font-medium">{pearl.title}</span>
                <span className="block truncate font-mono text-xs text-soft">{pearl.repo}</span>
              </span>
              <PearlBadge status={pearl.status} />
              <span className="hidden sm:block">
                <When atMs={pearl.updatedAtMs} nowMs={nowMs} />
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
