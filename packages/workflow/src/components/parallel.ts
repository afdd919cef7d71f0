import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { host } from "./host.ts";

export interface ParallelProps {
  readonly id?: string;
  /** ≤ 0 or absent: unbounded. */
  readonly maxConcurrency?: number;
  readonly skipIf?: boolean;
  readonly children?: ReactNode;
}

/** All children at once, up to the cap. */
export const Parallel = ({ skipIf, ...props }: ParallelProps): ReactElement | null =>
  skipIf ? null : host(HOST.parallel, props);
