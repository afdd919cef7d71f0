import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { host } from "./host.ts";

export interface MergeQueueProps {
  readonly id?: string;
  /** Lanes: at least one, one by default. */
  readonly maxConcurrency?: number;
  readonly skipIf?: boolean;
  readonly children?: ReactNode;
}

/** Its tasks one at a time, in source order. */
export const MergeQueue = ({ skipIf, ...props }: MergeQueueProps): ReactElement | null =>
  skipIf ? null : host(HOST.mergeQueue, props);
