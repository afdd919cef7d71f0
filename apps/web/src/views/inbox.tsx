"use client";
import { AskCard, type Decide } from "@smooth/ui/ask-card";
import { Empty, ErrorNote, Loading } from "@smooth/ui/controls";
import { PageTitle } from "@smooth/ui/shell";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import type { Outputs } from "~/trpc/outputs.ts";
import { useNow } from "./connection.tsx";
import { Filters } from "./filters.tsx";
import { Link } from "./frame.tsx";
import { useDecide } from "./use-decide.ts";

export function Inbox({ show }: { readonly show: "pending" | "all" }): ReactNode {
  const trpc = useTRPC();
  const nowMs = useNow();
  const decide = useDecide();
  const { data, error } = useQuery(trpc.inbox.list.queryOptions({ status: show }));
  return (
    <>
      <PageTitle
        aside={
          <Filters
            path="/inbox"
            name="show"
            current={show}
            options={[
              ["pending", "Waiting"],
              ["all", "All"],
            ]}
          />
        }
      >
        Inbox
      </PageTitle>
      {error && <ErrorNote>{error.message}</ErrorNote>}
      {!data && !error && <Loading what="your inbox" />}
      {data?.asks.length === 0 && (
        <Empty title="Nothing waits for you">
          When an operator needs a site, a command or a review, it appears here and on your phone.
        </Empty>
      )}
      <div className="space-y-3">
        {data?.asks.map((view) => (
          <InboxItem key={view.ask.id} view={view} nowMs={nowMs} decide={decide} />
        ))}
      </div>
    </>
  );
}

interface InboxItemProps {
  readonly view: Outputs["inbox"]["list"]["asks"][number];
  readonly nowMs: number;
  readonly decide: Decide | undefined;
}

export function InboxItem({ view: { ask, run, deciding }, nowMs, decide }: InboxItemProps): ReactNode {
  return (
    <AskCard
      ask={ask}
      nowMs={nowMs}
      decide={decide}
      decidingBy={deciding?.by}
      run={{ href: `/runs/${run.runId}`, title: run.title, link: Link }}
    />
  );
}
