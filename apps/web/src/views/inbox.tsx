"use client";
import { AskCard } from "@smooth/ui/ask-card";
import { Empty, ErrorNote, Loading } from "@smooth/ui/controls";
import { PageTitle } from "@smooth/ui/shell";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import { useNow } from "./connection.tsx";
import { Filters } from "./filters.tsx";
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
        {data?.asks.map(({ ask, run }) => (
          <AskCard key={ask.id} ask={ask} nowMs={nowMs} decide={decide} runHref={`/runs/${run.runId}`} />
        ))}
      </div>
    </>
  );
}
