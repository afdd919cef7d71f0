"use client";
import type { RunStatus } from "@smooth/protocol/run-events";
import { Empty, ErrorNote, Loading } from "@smooth/ui/controls";
import { RunList } from "@smooth/ui/lists";
import { PageTitle } from "@smooth/ui/shell";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTRPC } from "~/trpc/client.tsx";
import { useNow } from "./connection.tsx";
import { Filters } from "./filters.tsx";
import { Link } from "./frame.tsx";

const STATUSES: Readonly<Record<"active" | "failed", RunStatus[]>> = {
  active: ["queued", "running", "paused", "waiting"],
  failed: ["failed"],
};

export function Runs({ show }: { readonly show: "all" | "active" | "failed" }): ReactNode {
  const trpc = useTRPC();
  const nowMs = useNow();
  const { data, error } = useQuery(trpc.runs.list.queryOptions(show === "all" ? {} : { status: STATUSES[show] }));
  return (
    <>
      <PageTitle
        aside={
          <Filters
            path="/runs"
            name="show"
            current={show}
            options={[
              ["all", "All"],
              ["active", "Active"],
              ["failed", "Failed"],
            ]}
          />
        }
      >
        Runs
      </PageTitle>
      {error && <ErrorNote>{error.message}</ErrorNote>}
      {!data && !error && <Loading what="runs" />}
      {data?.runs.length === 0 && (
        <Empty title="No runs here">A run is one attempt of an operator at a pearl. Open a pearl and press Run.</Empty>
      )}
      {data && data.runs.length > 0 && (
        <RunList runs={data.runs} nowMs={nowMs} link={Link} hrefOf={(runId) => `/runs/${runId}`} />
      )}
    </>
  );
}
