"use client";
import { Card, Empty, ErrorNote, Loading, SectionTitle } from "@smooth/ui/controls";
import { SandboxLine } from "@smooth/ui/host-cards";
import { PearlList, RunList } from "@smooth/ui/lists";
import { PageTitle } from "@smooth/ui/shell";
import { useQuery } from "@tanstack/react-query";
import type { ComponentProps, ReactNode } from "react";
import { READY_SOON } from "~/queries.ts";
import { useTRPC } from "~/trpc/client.tsx";
import { useNow } from "./connection.tsx";
import { Link } from "./frame.tsx";
import { ButtonLink } from "./button-link.tsx";
import { InboxItem } from "./inbox.tsx";
import { useDecide } from "./use-decide.ts";
import { useMay } from "./use-may.ts";

/** What needs me, first; then what runs; then what could run; then what ended. */
export function Home(): ReactNode {
  const trpc = useTRPC();
  const nowMs = useNow();
  const decide = useDecide();
  const may = useMay();
  const { data, error } = useQuery(trpc.home.summary.queryOptions());
  const { data: ready } = useQuery(trpc.pearls.list.queryOptions(READY_SOON));
  if (error) return <ErrorNote>{error.message}</ErrorNote>;
  if (!data) return <Loading what="your work" />;
  const { asks, hosts, running, failed, finished } = data;
  const idle = running.length + failed.length + finished.length === 0;
  return (
    <div className="space-y-8">
      <PageTitle aside={may("pearl:write") && <ButtonLink href="/pearls/new">New pearl</ButtonLink>}>Home</PageTitle>
      {asks.length > 0 && (
        <section aria-label="Needs you">
          <SectionTitle>Needs you</SectionTitle>
          <div className="space-y-3">
            {asks.map((view) => (
              <InboxItem key={view.ask.id} view={view} nowMs={nowMs} decide={decide} />
            ))}
          </div>
        </section>
      )}
      {hosts
        .filter(({ sandbox, presence }) => presence.kind === "online" && sandbox && sandbox.kind !== "ready")
        .map((host) => (
          <Card key={host.hostId}>
            <div className="p-4">
              <p className="mb-2 font-medium">{host.name}</p>
              <SandboxLine sandbox={host.sandbox} />
            </div>
          </Card>
        ))}
      <Runs title="At work" runs={running} nowMs={nowMs} />
      {idle && asks.length === 0 && (
        <Empty
          title="Nothing runs, nothing waits"
          action={may("pearl:write") && <ButtonLink href="/pearls/new">Create a pearl</ButtonLink>}
        >
          A pearl is a piece of work on one of your repositories. Create one, or open one below, and run it: an operator
          does the work in its own virtual machine while you watch.
        </Empty>
      )}
      {ready && ready.pearls.length > 0 && (
        <section aria-label="Ready to run">
          <SectionTitle>Ready to run</SectionTitle>
          <PearlList pearls={ready.pearls.map(({ pearl }) => pearl)} nowMs={nowMs} link={Link} />
        </section>
      )}
      <Runs title="Failed this week" runs={failed} nowMs={nowMs} />
      <Runs title="Finished this week" runs={finished} nowMs={nowMs} />
    </div>
  );
}

interface RunsProps extends Pick<ComponentProps<typeof RunList>, "runs" | "nowMs"> {
  readonly title: string;
}

const Runs = ({ title, ...list }: RunsProps): ReactNode =>
  list.runs.length > 0 && (
    <section aria-label={title}>
      <SectionTitle>{title}</SectionTitle>
      <RunList {...list} link={Link} hrefOf={(runId) => `/runs/${runId}`} />
    </section>
  );
