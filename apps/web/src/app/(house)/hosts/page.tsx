import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Hydrated, queryClient, trpc } from "~/trpc/server.tsx";
import { Hosts } from "~/views/hosts.tsx";

export const metadata: Metadata = { title: "Hosts" };

export default async function HostsPage(): Promise<ReactNode> {
  await queryClient().prefetchQuery(trpc.hosts.list.queryOptions());
  return (
    <Hydrated>
      <Hosts />
    </Hydrated>
  );
}
