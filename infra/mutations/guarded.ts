/** Every guard that `npm run check:mutations` takes out. */
import type { GuardedFile } from "./guard.ts";
import { AGENTS_GUARDS } from "./guards/agents.ts";
import { BESIDE_GUARDS } from "./guards/beside.ts";
import { BODIES_GUARDS } from "./guards/bodies.ts";
import { COMPOSITION_GUARDS } from "./guards/composition.ts";
import { FRAMES_GUARDS } from "./guards/frames.ts";
import { OWNERSHIP_GUARDS } from "./guards/ownership.ts";
import { PLAN_GUARDS } from "./guards/plan.ts";
import { RUNS_GUARDS } from "./guards/runs.ts";
import { SANDBOX_GUARDS } from "./guards/sandbox.ts";
import { SCHEDULING_GUARDS } from "./guards/scheduling.ts";
import { STORE_GUARDS } from "./guards/store.ts";
import { SUPERVISION_GUARDS } from "./guards/supervision.ts";
import { TOOLS_GUARDS } from "./guards/tools.ts";
import { TRAVEL_GUARDS } from "./guards/travel.ts";
import { VCS_GUARDS } from "./guards/vcs.ts";
import { WAITS_GUARDS } from "./guards/waits.ts";
import { WORKSPACE_GUARDS } from "./guards/workspace.ts";

export const GUARDED: readonly GuardedFile[] = [
  ...AGENTS_GUARDS,
  ...BESIDE_GUARDS,
  ...BODIES_GUARDS,
  ...COMPOSITION_GUARDS,
  ...FRAMES_GUARDS,
  ...OWNERSHIP_GUARDS,
  ...PLAN_GUARDS,
  ...RUNS_GUARDS,
  ...SANDBOX_GUARDS,
  ...SCHEDULING_GUARDS,
  ...STORE_GUARDS,
  ...SUPERVISION_GUARDS,
  ...TOOLS_GUARDS,
  ...TRAVEL_GUARDS,
  ...VCS_GUARDS,
  ...WAITS_GUARDS,
  ...WORKSPACE_GUARDS,
];
