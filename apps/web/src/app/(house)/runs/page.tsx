import type { Metadata } from "next";
import type { ReactNode } from "react";
import { runFilter, runsInput } from "~/queries.ts";
import { Hydrated, queryClient, trpc } from "~/trpc/server.tsx";
import { Runs } from "~/views/runs.tsx";

export const metadata: Metadata = { title: "Runs" };

interface PageProps {
  readonly searchParams: Promise<{ show?: string }>;
}

export default async function RunsPage({ searchParams }: PageProps): Promise<ReactNode> {
  const show = runFilter((await searchParams).show);
  await queryClient().prefetchQuery(trpc.runs.list.queryOptions(runsInput(show)));
  return (
    <Hydrated>
      <Runs show={show} />
    </Hydrated>
  );
}
