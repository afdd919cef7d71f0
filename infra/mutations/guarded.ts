/** Every guard that `npm run check:mutations` takes out. */
import type { GuardedFile } from "./guard.ts";
import { AGENTS } from "./guards/agents.ts";
import { BESIDE } from "./guards/beside.ts";
import { BODIES } from "./guards/bodies.ts";
import { OWNERSHIP } from "./guards/ownership.ts";
import { PLAN } from "./guards/plan.ts";
import { RUNS } from "./guards/runs.ts";
import { SCHEDULING } from "./guards/scheduling.ts";
import { STORE } from "./guards/store.ts";
import { WAITS } from "./guards/waits.ts";

export const GUARDED: readonly GuardedFile[] = [
  ...AGENTS,
  ...BESIDE,
  ...BODIES,
  ...OWNERSHIP,
  ...PLAN,
  ...RUNS,
  ...SCHEDULING,
  ...STORE,
  ...WAITS,
];
