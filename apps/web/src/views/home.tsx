"use client";
import { Card, Empty, ErrorNote, Loading, SectionTitle } from "@smooth/ui/controls";
import { SandboxLine } from "@smooth/ui/host-cards";
import { RunList } from "@smooth/ui/lists";
import { PageTitle } from "@smooth/ui/shell";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import { useNow } from "./connection.tsx";
import { Link } from "./frame.tsx";
import { ButtonLink } from "./button-link.tsx";
import { InboxItem } from "./inbox.tsx";
import { useDecide } from "./use-decide.ts";

/** What needs me, first; then what runs; then what ended. */
export function Home(): ReactNode {
  const trpc = useTRPC();
  const nowMs = useNow();
  const decide = useDecide();
  const { data, error } = useQuery(trpc.home.summary.queryOptions());
  if (error) return <ErrorNote>{error.message}</ErrorNote>;
  if (!data) return <Loading what="your work" />;
  const { asks, hosts, running, failed, finished } = data;
  const idle = running.length + failed.length + finished.length === 0;
  const list = { nowMs, link: Link, hrefOf: (runId: string) => `/runs/${runId}` };
  return (
    <div className="space-y-8">
      <PageTitle aside={<ButtonLink href="/pearls/new">New pearl</ButtonLink>}>Home</PageTitle>
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
      {running.length > 0 && (
        <section aria-label="At work">
          <SectionTitle>At work</SectionTitle>
          <RunList runs={running} {...list} />
        </section>
      )}
      {failed.length > 0 && (
        <section aria-label="Failed">
          <SectionTitle>Failed this week</SectionTitle>
          <RunList runs={failed} {...list} />
        </section>
      )}
      {finished.length > 0 && (
        <section aria-label="Finished">
          <SectionTitle>Finished this week</SectionTitle>
          <RunList runs={finished} {...list} />
        </section>
      )}
      {idle && asks.length === 0 && (
        <Empty title="Nothing runs, nothing waits" action={<ButtonLink href="/pearls/new">Create a pearl</ButtonLink>}>
          A pearl is a piece of work on one of your repositories. Create one, run it, and watch an operator do it in its
          own virtual machine.
        </Empty>
      )}
    </div>
  );
}
