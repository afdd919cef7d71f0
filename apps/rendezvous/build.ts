import { buildWorker } from "./src/bundle.node.ts";

await buildWorker();
