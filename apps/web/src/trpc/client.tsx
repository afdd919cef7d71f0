"use client";
import type { AppRouter } from "@smooth/api/router";
import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createTRPCClient, httpBatchStreamLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import { createTRPCContext } from "@trpc/tanstack-react-query";
import { type ReactNode, useState } from "react";
import superjson from "superjson";
import { makeQueryClient } from "./query-client.ts";

const { TRPCProvider, useTRPC } = createTRPCContext<AppRouter>();
export { useTRPC };

let browserClient: QueryClient | undefined;
const queryClientHere = (): QueryClient =>
  typeof window === "undefined" ? makeQueryClient() : (browserClient ??= makeQueryClient());

const url = "/api/trpc";

export function ApiProvider({ children }: { readonly children: ReactNode }): ReactNode {
  const queryClient = queryClientHere();
  const [client] = useState(() =>
    createTRPCClient<AppRouter>({
      links: [
        splitLink({
          condition: (operation) => operation.type === "subscription",
          true: httpSubscriptionLink({ url, transformer: superjson }),
          false: httpBatchStreamLink({ url, transformer: superjson }),
        }),
      ],
    }),
  );
  return (
    <QueryClientProvider client={queryClient}>
      <TRPCProvider trpcClient={client} queryClient={queryClient}>
        {children}
      </TRPCProvider>
    </QueryClientProvider>
  );
}
