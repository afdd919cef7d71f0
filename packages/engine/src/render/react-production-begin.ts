/** React picks its build from NODE_ENV when it is first loaded, and a frame in the development build costs six times more.
 *  Ask for production while `react.ts` loads it; `react-production-end.ts` puts the old value back. */
interface Host {
  process?: { env: Record<string, string | undefined> };
}
const env = (globalThis as Host).process?.env;
const before = env?.["NODE_ENV"];
if (env) env["NODE_ENV"] = "production";

export function restoreNodeEnv(): void {
  if (env && before === undefined) delete env["NODE_ENV"];
  else if (env) env["NODE_ENV"] = before;
}
