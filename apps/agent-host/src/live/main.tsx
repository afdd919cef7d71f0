import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { themeOf } from "@smooth/ui/theme";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";
import { isSignedOut } from "./host.ts";

/** The live session: what a host shows of itself, at its own address and through the tunnel. */

const queries = new QueryClient({
  defaultOptions: {
    queries: { networkMode: "always", retry: (failures, error) => !isSignedOut(error) && failures < 3, staleTime: 500 },
    mutations: { networkMode: "always" },
  },
});

document.documentElement.dataset["theme"] = themeOf(/(?:^|; )theme=(\w+)/.exec(document.cookie)?.[1]);

const root = document.getElementById("root");
if (!root) throw new TypeError("the page has no #root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
