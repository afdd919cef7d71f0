import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { SmoothError } from "@smooth/protocol/errors";
import { expectSuccess } from "../channel/agent-client.ts";
import type { Changes, ChangesOptions, Exec, ExecRequest, GetReport, GetTree, PutReport, PutTree } from "../driver.ts";
import { extractTree } from "./extract.ts";
import { matcher, namesOf } from "./paths.ts";
import { tarOf } from "./tar-write.ts";

/** Trees over plain execs: the guest's own tar and find do the walking, in C; what they print is a stranger's word. */

type Run = (request: ExecRequest) => Exec;

export async function putTree(run: Run, { to, ...what }: PutTree): Promise<PutReport> {
  const tally = { files: 0, bytes: 0, skipped: [] };
  const exec = run({
    argv: ["sh", "-c", 'mkdir -p "$1" && exec tar -xf - --no-same-owner -C "$1"', "sh", to],
    cwd: "/",
  });
  const source = Readable.from(inChunks(tarOf(what, tally)), { objectMode: true });
  const sending = pipeline(source, exec.stdin).catch((error: unknown) => {
    exec.signal("SIGKILL");
    throw error;
  });
  const [received, sent] = await Promise.allSettled([expectSuccess(exec), sending]);
  // Our own refusal explains the guest's broken tar, and a failed tar explains a broken pipe.
  if (sent.status === "rejected" && sent.reason instanceof SmoothError) throw sent.reason;
  if (received.status === "rejected") throw received.reason as Error;
  if (sent.status === "rejected") throw sent.reason as Error;
  return tally;
}

export async function getTree(run: Run, { from, paths = ["."], exclude = [], ...how }: GetTree): Promise<GetReport> {
  // Excluded once in the guest, to save bytes, and once more on the way in, because the guest only claims it.
  const left = exclude.map(
    (pattern) => `--exclude=${pattern.includes("/") ? `./${pattern.replace(/^\.?\/+/, "")}` : pattern}`,
  );
  const argv = [
    "tar",
    "-cf",
    "-",
    "--format=posix",
    "--ignore-failed-read",
    "--hard-dereference", // two names of one file are two files
    "-C",
    from,
    ...left,
    "--null",
    "--verbatim-files-from",
    "-T",
    "-",
  ];
  const exec = run({ argv, cwd: "/" });
  exec.stdin.end(paths.map((path) => (path === "." ? "." : `./${path}`)).join("\0"));
  exec.stderr.resume();
  try {
    const report = await extractTree(exec.stdout as AsyncIterable<Buffer>, { ...how, exclude });
    const outcome = await exec.outcome;
    // 1: a file changed while it was read, which the next checkpoint brings.
    if (outcome.kind !== "exited" || outcome.code > 1)
      throw new SmoothError("SANDBOX_FAILED", `tar of ${from} failed in the guest`, { details: { outcome } });
    return report;
  } finally {
    exec.signal("SIGKILL");
    exec.stdout.destroy();
  }
}

/** Headers and small files travel together: one frame each would cost more than the bytes. */
async function* inChunks(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of source) {
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < CHUNK_BYTES) continue;
    yield Buffer.concat(held);
    held = [];
    heldBytes = 0;
  }
  if (heldBytes > 0) yield Buffer.concat(held);
}

const CHUNK_BYTES = 64 * 1024;
const MAX_LIST_BYTES = 64 * 1024 * 1024;

/** One find prints every file with what tells its versions apart (ctime cannot be set back by accident); the rest is comparing. */
export async function changes(run: Run, root: string, { since, exclude = [] }: ChangesOptions): Promise<Changes> {
  const left = matcher(exclude);
  const names = exclude
    .filter((pattern) => !pattern.includes("/"))
    .flatMap((name, at) => [...(at === 0 ? [] : ["-o"]), "-name", name]);
  const prune = names.length === 0 ? [] : ["(", ...names, ")", "-prune", "-o"];
  const exec = run({
    argv: ["find", root, ...prune, "!", "-type", "d", "-printf", "%C@ %s %i %m%y %P\\0"],
    cwd: "/",
  });
  exec.stdin.end();
  exec.stderr.resume();
  const stamp = new Map<string, string>();
  for (const line of (await collect(exec.stdout)).split("\0")) {
    const [, version, path] = /^(\S+ \d+ \d+ \S+) ([^]*)$/.exec(line) ?? [];
    if (version === undefined || path === undefined || left(path) || "refused" in namesOf(path)) continue;
    stamp.set(path, version);
  }
  const outcome = await exec.outcome;
  if (outcome.kind !== "exited")
    throw new SmoothError("SANDBOX_FAILED", `find ${root} failed in the guest`, { details: { outcome } });
  const changed = [...stamp].filter(([path, version]) => since?.get(path) !== version).map(([path]) => path);
  const deleted = since ? [...since.keys()].filter((path) => !stamp.has(path)) : [];
  return { changed: changed.toSorted(), deleted: deleted.toSorted(), stamp };
}

async function collect(source: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of source) {
    total += (chunk as Buffer).length;
    if (total > MAX_LIST_BYTES) throw new SmoothError("PAYLOAD_TOO_LARGE", "the guest's list of files is too long");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
