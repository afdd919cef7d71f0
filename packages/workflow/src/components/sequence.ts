import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { host } from "./host.ts";

export interface SequenceProps {
  readonly skipIf?: boolean;
  readonly children?: ReactNode;
}

/** One child after the other. */
export const Sequence = ({ skipIf, ...props }: SequenceProps): ReactElement | null =>
  skipIf ? null : host(HOST.sequence, props);
