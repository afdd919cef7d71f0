import { once } from "node:events";
import { posix } from "node:path";
import { pipeline } from "node:stream/promises";
import type { FakeProgram } from "./fake-driver.ts";

/** The few programs that the contract suite and most tests need, as their real namesakes behave. */
export const BUILTINS: Readonly<Record<string, FakeProgram>> = {
  true: async () => 0,
  false: async () => 1,
  echo: async ({ argv, stdout }) => {
    stdout.write(`${argv.slice(1).join(" ")}\n`);
    return 0;
  },
  pwd: async ({ cwd, stdout }) => {
    stdout.write(`${cwd}\n`);
    return 0;
  },
  printenv: async ({ argv: [, name = ""], env, stdout }) => {
    if (env[name] === undefined) return 1;
    stdout.write(`${env[name]}\n`);
    return 0;
  },
  cat: async ({ argv: [, path], cwd, files, stdin, stdout, stderr }) => {
    if (path === undefined) {
      await pipeline(stdin, stdout, { end: false });
      return 0;
    }
    const file = files.get(posix.resolve(cwd, path));
    if (file) stdout.write(file.content);
    else stderr.write(`cat: ${path}: No such file or directory\n`);
    return file ? 0 : 1;
  },
  rm: async ({ argv: [, path = ""], cwd, files }) => (files.delete(posix.resolve(cwd, path)) ? 0 : 1),
  ln: async ({ argv: [, , target = "", path = ""], cwd, files }) => {
    files.set(posix.resolve(cwd, path), { content: Buffer.alloc(0), mode: 0o777, target });
    return 0;
  },
  /** Until it is killed. */
  sleep: async ({ signal }) => {
    if (!signal.aborted) await once(signal, "abort");
    return 0;
  },
  /** `curl -sS <url>`, through the one way out; 7 when nobody answers, as curl says it. */
  curl: async ({ argv, connect, stdout }) => {
    const url = new URL(argv.at(-1) ?? "");
    const connection = connect();
    connection.on("error", () => {});
    connection.write(`GET ${url.href} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`);
    const chunks: Buffer[] = [];
    connection.on("data", (chunk: Buffer) => chunks.push(chunk));
    await Promise.race([once(connection, "end"), once(connection, "close")]);
    const answer = Buffer.concat(chunks).toString("utf8");
    const start = answer.indexOf("\r\n\r\n");
    if (start === -1) return 7;
    stdout.write(answer.slice(start + 4));
    return 0;
  },
};
