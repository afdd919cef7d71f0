import type { ReactNode } from "react";
import { READY_SOON } from "~/queries.ts";
import { Hydrated, queryClient, trpc } from "~/trpc/server.tsx";
import { Home } from "~/views/home.tsx";

export default async function HomePage(): Promise<ReactNode> {
  await queryClient().prefetchQuery(trpc.pearls.list.queryOptions(READY_SOON));
  return (
    <Hydrated>
      <Home />
    </Hydrated>
  );
}
