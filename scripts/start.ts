/** `npm start`: everything on this machine. Prints one sign-in link, the tunnel's URL and its QR code; Ctrl-C stops it all. */
import { spawnSync } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import qrcode from "qrcode";
import { type House, startHouse } from "./house.ts";

const root = join(import.meta.dirname, "..");
const startedMs = performance.now();
const say = (line: string): void =>
  console.log(`  ${((performance.now() - startedMs) / 1_000).toFixed(1).padStart(5)} s  ${line}`);
const port = (name: string, fallback: number): number => {
  const value = Number(process.env[name] ?? fallback);
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  console.error(`${name}=${process.env[name]} is not a port; give 0 to 65535`);
  process.exit(4);
};

const stop = Promise.withResolvers<void>();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.resolve());
if (process.env["npm_lifecycle_event"] === "start") endWithNpm();

console.log("Smooth is starting.");
installSystemPackages();
const house = await startHouse({
  dataDir: process.env["SMOOTH_DATA"] ?? join(root, ".data"),
  hostHome: process.env["SMOOTH_HOME"] ?? join(homedir(), ".smooth"),
  ports: {
    web: port("PORT", 3_000),
    rendezvous: port("SMOOTH_RENDEZVOUS_PORT", 8_788),
    host: port("SMOOTH_PORT", 4_400),
  },
  ownerEmail: process.env["SMOOTH_OWNER"] ?? "owner@smooth.local",
  say,
}).catch((error: unknown) => {
  console.error(
    `\nSmooth did not start: ${error instanceof Error ? error.message : String(error)}\nWhat to do: npm run doctor`,
  );
  process.exit(1);
});

await welcome(house);
await stop.promise;
console.log("\nStopping…");
await house[Symbol.asyncDispose]();
process.exit(0);

/** What the sandbox needs of Debian, where we may install it. Without it everything but the sandbox works, and says so. */
function installSystemPackages(): void {
  const { status } = spawnSync("sh", [join(root, "scripts/system-deps")], { stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) say("system packages could not be installed; operators need them: npm run doctor");
}

async function welcome({ signInUrl, db }: House): Promise<void> {
  console.log(`\nSign in (works once):\n  ${await signInUrl()}\n`);
  const url = await tunnelUrl(db);
  if (!url) return console.log("The tunnel is not up yet; its URL appears on the Tunnel page.\n");
  console.log(`From a phone or another browser:\n  ${url}\n`);
  console.log(await qrcode.toString(url, { type: "terminal", small: true }));
  console.log("Ctrl-C stops everything.");
}

/** What the host last reported about itself. */
async function tunnelUrl(db: House["db"]): Promise<string | null> {
  for (let look = 0; look < 50; look += 1) {
    const host = await db.host.findFirst({ where: { revokedAtMs: null }, orderBy: { lastSeenAtMs: "desc" } });
    const status = (typeof host?.status === "string" ? JSON.parse(host.status) : host?.status) as
      | { tunnel?: { kind: string; url?: string } }
      | null
      | undefined;
    if (status?.tunnel?.kind === "serving" && status.tunnel.url) return status.tunnel.url;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return null;
}

/** npm passes signals on, but SIGKILL tells nobody: then this process has another parent. */
function endWithNpm(): void {
  const npm = process.ppid;
  const look = (): void => void (process.ppid === npm || stop.resolve());
  setInterval(look, 1_000).unref();
}
