/** Restate: its server (SERVER_PID) with an endpoint in this process; INGRESS and ADMIN are its addresses. */
import process from "node:process";
import * as restate from "@restatedev/restate-sdk";
import { measure, steps, workload } from "./measure.ts";

const body = (n) => async () => ({ n, text: "recorded" });
const inOrder = async (ctx, count) => {
  for (let n = 0; n < count; n += 1) await ctx.run(`step-${n}`, body(n));
};
const fanOut = async (ctx, count) => {
  for (let n = 0; n < count; n += 16)
    await restate.RestatePromise.all(
      Array.from({ length: Math.min(16, count - n) }, (_, at) => ctx.run(`step-${n + at}`, body(n + at))),
    );
};
const service = restate.service({
  name: "bench",
  handlers: {
    chain: inOrder,
    fan_out: fanOut,
  },
});
const quiet = () => {};
const port = await restate.serve({ services: [service], port: 0, logger: quiet });
const post = async (url, value) => {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
  });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
};
await post(`${process.env.ADMIN}/deployments`, { uri: `http://127.0.0.1:${port}` });
const runs = workload === "runs" ? 200 : 1;
const count = workload === "runs" ? 5 : steps;
const handler = workload === "fan-out" ? "fan_out" : "chain";
await measure(
  () => Promise.all(Array.from({ length: runs }, () => post(`${process.env.INGRESS}/bench/${handler}`, count))),
  { server: Number(process.env.SERVER_PID), total: runs * count },
);
process.exit(0);
