import { PearlId } from "@smooth/protocol/ids";
import type { Metadata } from "next";
import { notFound } from "next/navigation";
import type { ReactNode } from "react";
import { Hydrated, queryClient, trpc } from "~/trpc/server.tsx";
import { PearlView } from "~/views/pearl.tsx";

export const metadata: Metadata = { title: "Pearl" };

interface PageProps {
  readonly params: Promise<{ pearlId: string }>;
}

export default async function PearlPage({ params }: PageProps): Promise<ReactNode> {
  const pearlId = PearlId.safeParse((await params).pearlId);
  if (!pearlId.success) notFound();
  await queryClient().prefetchQuery(trpc.pearls.get.queryOptions({ pearlId: pearlId.data }));
  return (
    <Hydrated>
      <PearlView pearlId={pearlId.data} />
    </Hydrated>
  );
}
