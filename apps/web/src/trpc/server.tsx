import "server-only";
import { type ApiContext, createContext } from "@smooth/api/context";
import { appRouter } from "@smooth/api/router";
import { dehydrate, HydrationBoundary, type QueryClient } from "@tanstack/react-query";
import { createTRPCOptionsProxy } from "@trpc/tanstack-react-query";
import { cache, type ReactNode } from "react";
import { sessionClaim } from "~/auth.ts";
import { deps } from "~/deps.ts";
import { makeQueryClient } from "./query-client.ts";

export const apiContext = cache(async (): Promise<ApiContext> => createContext(await deps(), await sessionClaim()));
export const queryClient: () => QueryClient = cache(makeQueryClient);
export const trpc = createTRPCOptionsProxy({ ctx: apiContext, router: appRouter, queryClient });

/** What the server fetched arrives with the page. */
export function Hydrated({ children }: { readonly children: ReactNode }): ReactNode {
  return <HydrationBoundary state={dehydrate(queryClient())}>{children}</HydrationBoundary>;
}
