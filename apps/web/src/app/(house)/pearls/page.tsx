import type { Metadata } from "next";
import type { ReactNode } from "react";
import { pearlFilter, pearlsInput } from "~/queries.ts";
import { Hydrated, queryClient, trpc } from "~/trpc/server.tsx";
import { Pearls } from "~/views/pearls.tsx";

export const metadata: Metadata = { title: "Pearls" };

interface PageProps {
  readonly searchParams: Promise<{ show?: string; text?: string }>;
}

export default async function PearlsPage({ searchParams }: PageProps): Promise<ReactNode> {
  const { show, text } = await searchParams;
  const filter = pearlFilter(show);
  const words = text?.trim().slice(0, 200) ?? "";
  await queryClient().prefetchQuery(trpc.pearls.list.queryOptions(pearlsInput(filter, words)));
  return (
    <Hydrated>
      <Pearls show={filter} text={words} />
    </Hydrated>
  );
}
