import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { demoFix } from "@smooth/agents/scripted/demo-fix";
import { demoSpec, seedSampleRepo } from "@smooth/agents/scripted/demo-repo";
import { startScriptedServer } from "@smooth/agents/scripted/server";
import type { PearlStore } from "@smooth/pearls/store";
import { NewPearl } from "@smooth/protocol/pearls";

/** The DEMO: what a host without any provider shows. A scripted model, a documentation site that needs approval, a sample
 *  repository with one failing test, and the pearl that asks to fix it. All of it on this machine, all of it labelled. */

const DEMO_DOCS = "docs.example.com";

export interface Demo extends AsyncDisposable {
  readonly modelUrl: string;
  /** `host:port` of the documentation site, and the address that plays it. */
  readonly resolve: Readonly<Record<string, string>>;
}

const CHUNK_MS = 15;

export async function startDemo(): Promise<Demo> {
  await using parts = new AsyncDisposableStack();
  const docs = createServer((_request, response) => {
    demoSpec().then(
      (page) => response.writeHead(200, { "content-type": "text/markdown" }).end(page),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve) => docs.listen(0, "127.0.0.1", resolve));
  parts.defer(() => void docs.close());
  const { port } = docs.address() as AddressInfo;
  const specUrl = `http://${DEMO_DOCS}:${port}/duration-format.md`;
  const model = parts.use(await startScriptedServer({ persona: demoFix({ specUrl }), chunkMs: CHUNK_MS }));
  const open = parts.move();
  return {
    modelUrl: model.url,
    resolve: { [`${DEMO_DOCS}:${port}`]: "127.0.0.1" },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** Once per home: the repository, and the pearl on it. */
export async function seedDemo(home: string, pearls: PearlStore): Promise<void> {
  const seeded = await seedSampleRepo(join(home, "demo", "sample-repo"));
  if (seeded.kind === "refused" || pearls.list({ ready: false, limit: 1 }).length > 0) return;
  const pearl = NewPearl.parse({
    title: "Make the failing duration test green",
    description: "`formatDuration` and its test disagree about part seconds. Find out who is right and fix it.",
    type: "bug",
    labels: ["demo"],
    repo: seeded.dir,
    verify: "node --test",
  });
  pearls.create(pearl, "demo");
}
