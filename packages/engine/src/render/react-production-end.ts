import { nodeEnvBefore } from "./react-production-begin.ts";

interface Host {
  process?: { env: Record<string, string | undefined> };
}
const env = (globalThis as Host).process?.env;

if (env && nodeEnvBefore === undefined) delete env["NODE_ENV"];
else if (env) env["NODE_ENV"] = nodeEnvBefore;
