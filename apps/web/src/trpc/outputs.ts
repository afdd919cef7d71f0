import type { AppRouter } from "@smooth/api/router";
import type { inferRouterOutputs } from "@trpc/server";

/** What each procedure answers. */
export type Outputs = inferRouterOutputs<AppRouter>;
