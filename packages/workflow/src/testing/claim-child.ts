/** One of several processes that race for runs: node claim-child.ts <database> <runs>. Waits for a line, then says what it won. */
import { once } from "node:events";
import process from "node:process";
import { processOwner } from "@smooth/engine/process-owner";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";

const [path = "", count = "0"] = process.argv.slice(2);
/** Races in one transaction. */
const AT_ONCE = 40;

const sql = openSqlite(path, { synchronous: "NORMAL", busyTimeoutMs: 60_000 });
const store = openSqliteStore(sql);
const owner = processOwner();
const runs = Array.from({ length: Number(count) }, (_, at) => ({ runId: `run-${at}`, epoch: 1 }));
process.stdout.write("ready\n");
await once(process.stdin, "data");

/** Every tenth group one by one, the others in two bites. */
async function race(group: typeof runs, at: number): Promise<string[]> {
  if (at % (10 * AT_ONCE) > 0) {
    const taken = await store.claimSome({ runs: group, owner, atMs: 2, limit: AT_ONCE / 4 });
    const rest = await store.claimSome({ runs: group, owner, atMs: 2, limit: AT_ONCE });
    return [...taken, ...rest].map(({ runId }) => runId);
  }
  const won: string[] = [];
  for (const run of group) if ((await store.claim({ ...run, owner, atMs: 2 })) !== null) won.push(run.runId);
  return won;
}

const won: string[] = [];
for (let at = 0; at < runs.length; at += AT_ONCE) won.push(...(await race(runs.slice(at, at + AT_ONCE), at)));
process.stdout.write(`${JSON.stringify(won)}\n`);
sql.close();
process.exit(0);
