/** DBOS on Postgres: DATABASE_URL and SERVER_PID come from the bench. */
import process from "node:process";
import { DBOS } from "@dbos-inc/dbos-sdk";
import { measure, steps, workload } from "./measure.ts";

const body = (n) => async () => ({ n, text: "recorded" });
const chain = DBOS.registerWorkflow(
  async (count) => {
    for (let n = 0; n < count; n += 1) await DBOS.runStep(body(n), { name: `step-${n}` });
  },
  { name: "chain" },
);
DBOS.setConfig({ name: "bench", systemDatabaseUrl: process.env.DATABASE_URL, logLevel: "error" });
await DBOS.launch();
const runs = workload === "runs" ? 200 : 1;
const count = workload === "runs" ? 5 : steps;
await measure(
  async () => {
    const handles = await Promise.all(Array.from({ length: runs }, () => DBOS.startWorkflow(chain)(count)));
    await Promise.all(handles.map((handle) => handle.getResult()));
  },
  { server: Number(process.env.SERVER_PID), total: runs * count },
);
await DBOS.shutdown();
process.exit(0);
