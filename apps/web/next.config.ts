import type { NextConfig } from "next";

/** Workspace packages are TypeScript sources; database drivers stay outside the bundle. */
const config: NextConfig = {
  transpilePackages: ["@smooth/api", "@smooth/db", "@smooth/platform", "@smooth/protocol", "@smooth/ui"],
  serverExternalPackages: [
    "@electric-sql/pglite",
    "pglite-prisma-adapter",
    "@prisma/adapter-pg",
    "@prisma/client",
    "pg",
  ],
  poweredByHeader: false,
  devIndicators: false,
};
export default config;
