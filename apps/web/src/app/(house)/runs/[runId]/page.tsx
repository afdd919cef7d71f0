import { RunId } from "@smooth/protocol/ids";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import type { ReactNode } from "react";
import { Hydrated, queryClient, trpc } from "~/trpc/server.tsx";
import { Run } from "~/views/run.tsx";

export const metadata: Metadata = { title: "Run" };

interface PageProps {
  readonly params: Promise<{ runId: string }>;
}

export default async function RunPage({ params }: PageProps): Promise<ReactNode> {
  const runId = RunId.safeParse((await params).runId);
  if (!runId.success) notFound();
  await queryClient().prefetchQuery(trpc.runs.get.queryOptions({ runId: runId.data }));
  return (
    <Hydrated>
      <Run runId={runId.data} />
    </Hydrated>
  );
}
