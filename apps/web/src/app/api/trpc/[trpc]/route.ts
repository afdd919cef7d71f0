import { appRouter } from "@smooth/api/router";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { apiContext } from "~/trpc/server.tsx";

export const dynamic = "force-dynamic";

const handler = (req: Request): Promise<Response> =>
  fetchRequestHandler({ endpoint: "/api/trpc", req, router: appRouter, createContext: apiContext });
export { handler as GET, handler as POST };
