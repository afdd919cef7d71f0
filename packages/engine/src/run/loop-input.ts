/** What a process brings to the run it drives. */
import type { Clock, Disk, Log, Random } from "@smooth/platform/ports";
import type { DeliverAlert } from "../alerts/alerts.ts";
import type { FrameLog } from "../frames/frame-log.ts";
import type { MemoryStore } from "../memory/port.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { OutputRows } from "../outputs/rows.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { JudgeModel } from "../scorers/scorer.ts";
import type { RunStore } from "../store/port.ts";
import type { FilesInput } from "../task/around-files.ts";
import type { AgentLike } from "../task/body.ts";
import type { Sandboxes } from "../task/sandboxes.ts";
import type { AroundBody } from "../task/tool-log.ts";
import type { RunOrigin } from "./continuation.ts";
import type { StoredEvent } from "./events.ts";
import type { Keyed } from "./late-map.ts";
import type { Worktrees } from "../task/worktrees.ts";
import type { Subflows } from "./subflow.ts";
import type { RunState } from "./state.ts";

interface RunPorts {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface LoopInput extends RunPorts {
  readonly workflow: WorkflowDefinition;
  readonly runId: string;
  /** What a successor has in common with this run. */
  readonly origin: RunOrigin;
  readonly epoch: number;
  /** This process has just made its first row: there is nothing to look for in the store yet. */
  readonly isNew: boolean;
  readonly input: unknown;
  readonly auth: JsonValue;
  /** What the log says so far. */
  readonly state: RunState;
  readonly rows: OutputRows;
  readonly heartbeats: Keyed<JsonValue>;
  readonly deliveredSeq: number;
  /** Committed, up to `deliveredSeq`, and not delivered yet. */
  readonly untold: readonly StoredEvent[];
  readonly frameLog: FrameLog;
  readonly seenSeq: number;
  readonly maxConcurrency: number;
  /** `always`: every tick renders anew; same plan and events, only slower (a check of L3). */
  readonly render: "tracked" | "always";
  readonly around: AroundBody;
  /** What agents edit; null: it is not under version control. */
  readonly files: FilesInput | null;
  readonly subflows: Subflows;
  /** When the run's first row was written. */
  readonly startedAtMs: number;
  /** Null: tasks inside a <Worktree> fail. */
  readonly worktrees: Worktrees | null;
  /** Null: steps that are a <Sandbox> fail. */
  readonly sandboxes: Sandboxes | null;
  readonly onEvent: (event: StoredEvent) => void;
  /** What tasks remember across runs; without one, `memory` props fail visibly. */
  readonly memory: MemoryStore | null;
  /** Where the store lives; without one only a write that fails tells of a full disk. */
  readonly disk: Disk | null;
  readonly lowDiskBytes: number;
  /** Tells a destination about an alert. */
  readonly deliverAlert: DeliverAlert | null;
  /** The log so far, for the workflow's alerts; empty when it has none. */
  readonly past: readonly StoredEvent[];
  /** Which agent judges under a model's name, for scorers. */
  readonly judges: ((model: JudgeModel) => AgentLike | undefined) | null;
}
