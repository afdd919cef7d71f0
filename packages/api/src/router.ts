import { homeRouter } from "./routers/home.ts";
import { hostsRouter } from "./routers/hosts.ts";
import { inboxRouter } from "./routers/inbox.ts";
import { meRouter, orgRouter } from "./routers/org.ts";
import { pearlsRouter } from "./routers/pearls.ts";
import { runsRouter } from "./routers/runs.ts";
import { tunnelRouter } from "./routers/tunnel.ts";
import { createCallerFactory, router } from "./trpc.ts";

/** The whole tRPC surface of the dashboard. */
export const appRouter = router({
  me: meRouter,
  org: orgRouter,
  home: homeRouter,
  pearls: pearlsRouter,
  runs: runsRouter,
  inbox: inboxRouter,
  hosts: hostsRouter,
  tunnel: tunnelRouter,
});
export type AppRouter = typeof appRouter;

/** For tests and server components. */
export const createCaller = createCallerFactory(appRouter);
