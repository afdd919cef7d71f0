import type { Metadata } from "next";
import type { ReactNode } from "react";
import { Hydrated, queryClient, trpc } from "~/trpc/server.tsx";
import { Tunnels } from "~/views/tunnels.tsx";

export const metadata: Metadata = { title: "Tunnel" };

export default async function TunnelPage(): Promise<ReactNode> {
  await queryClient().prefetchQuery(trpc.tunnel.state.queryOptions());
  return (
    <Hydrated>
      <Tunnels />
    </Hydrated>
  );
}
