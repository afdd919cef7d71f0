import type { ReactElement } from "react";
import { HOST } from "@smooth/engine/elements";
import { host, type PlaceProps } from "./host.ts";

/** Exactly one of the three. */
export interface TimerProps extends PlaceProps {
  /** "500ms", "30s", "5m", "2h", "7d", "2w": from when it is reached. */
  readonly duration?: string;
  /** A moment; one that is past fires at once. */
  readonly until?: string | Date;
  /** In a loop: on a steady beat, counted from the first pass. */
  readonly every?: string;
}

/** Waits for a time, as a row: restarts do not reset it. It records no output. */
export const Timer = (props: TimerProps): ReactElement => host(HOST.timer, props);
