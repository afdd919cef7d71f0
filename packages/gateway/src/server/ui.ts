import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { serveStatic } from "@hono/node-server/serve-static";
import type { Hono } from "hono";
import type { DoorEnv } from "./door.ts";

/** The live session's files. Anyone who reaches the host may read them: they hold no data.
 *  U1. A page is never cached; a file under /assets/ has its hash in its name and is cached for ever. */
export function serveUi(app: Hono<DoorEnv>, uiDir: string): void {
  app.get(
    "*",
    serveStatic({
      root: uiDir,
      onFound: (path, c) => c.header("cache-control", cacheRule(path)), // U1
    }),
  );
  app.get("*", (c) => {
    const index = join(uiDir, "index.html");
    const isPage = !/\.[a-z0-9]+$/i.test(c.req.path) && existsSync(index);
    return isPage ? c.html(readFileSync(index, "utf8"), 200, { "cache-control": "no-store" }) : c.notFound();
  });
}

function cacheRule(path: string): string {
  if (path.endsWith(".html")) return "no-store";
  return path.includes("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
}
