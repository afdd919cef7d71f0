import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Hydrated, queryClient, trpc } from "~/trpc/server.tsx";
import { Inbox } from "~/views/inbox.tsx";

export const metadata: Metadata = { title: "Inbox" };

interface PageProps {
  readonly searchParams: Promise<{ show?: string }>;
}

export default async function InboxPage({ searchParams }: PageProps): Promise<ReactNode> {
  const show = (await searchParams).show === "all" ? "all" : "pending";
  await queryClient().prefetchQuery(trpc.inbox.list.queryOptions({ status: show }));
  return (
    <Hydrated>
      <Inbox show={show} />
    </Hydrated>
  );
}
