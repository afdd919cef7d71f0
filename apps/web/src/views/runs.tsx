"use client";
import { Empty, ErrorNote, Loading } from "@smooth/ui/controls";
import { RunList } from "@smooth/ui/lists";
import { PageTitle } from "@smooth/ui/shell";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { type RunFilter, runsInput } from "~/queries.ts";
import { useTRPC } from "~/trpc/client.tsx";
import { useNow } from "./connection.tsx";
import { Filters } from "./filters.tsx";
import { Link } from "./frame.tsx";

export function Runs({ show }: { readonly show: RunFilter }): ReactNode {
  const trpc = useTRPC();
  const nowMs = useNow();
  const { data, error } = useQuery(trpc.runs.list.queryOptions(runsInput(show)));
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
