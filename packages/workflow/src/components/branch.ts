import type { ReactElement } from "react";
import { HOST } from "@smooth/engine/elements";
import { SmoothError } from "@smooth/protocol/errors";
import { host } from "./host.ts";

export interface BranchProps {
  readonly if: boolean;
  // A branch is configured with elements, as in the documented API.
  // oxlint-disable-next-line unicorn/no-thenable
  readonly then: ReactElement;
  readonly else?: ReactElement | null;
  readonly skipIf?: boolean;
}

/** One of two. */
export function Branch({ if: condition, then: yes, else: no, skipIf, ...rest }: BranchProps): ReactElement | null {
  if (yes === undefined) throw new SmoothError("INVALID_INPUT", "a <Branch> has no prop `then`: give it what is shown");
  return skipIf ? null : host(HOST.branch, rest, condition ? yes : no);
}
