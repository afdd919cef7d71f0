import type { ModelTarget } from "@smooth/cast/goalie/door";
import type { Usage } from "@smooth/cast/goalie/usage";

/** Which provider serves a slot, what it costs, and which bytes are secret. Read anew for every call, so an edit counts at once. */
export interface Models {
  /** The scripted model is in use: shown as DEMO everywhere. */
  readonly demo: boolean;
  /** In order of preference; empty when nothing serves the slot. */
  targets(slot: string): readonly ModelTarget[];
  /** null: the provider has no price here. */
  costUsd(target: ModelTarget, usage: Usage): number | null;
  /** Every provider key. */
  secrets(): readonly string[];
}
