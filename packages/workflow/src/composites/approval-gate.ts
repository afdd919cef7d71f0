import type { ReactElement } from "react";
import { host } from "../components/host.ts";
import { Approval, type ApprovalProps } from "../components/approval.ts";
import { task, type OutputTarget } from "./parts.ts";

export type ApprovalGateProps = Omit<ApprovalProps<OutputTarget>, "mode" | "options" | "children"> & {
  /** True: a person decides. False: approved at once, with a row of the same shape. */
  readonly when: boolean;
};

/** An approval only where one is needed; what comes after reads the same row either way. */
export function ApprovalGate({ when, ...approval }: ApprovalGateProps): ReactElement | null {
  if (when) return host(Approval, approval);
  const { id, output, outputSchema, dependsOn, needs, skipIf, label, meta } = approval;
  const given = { outputSchema, dependsOn, needs, skipIf, label, meta };
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const children = { approved: true, note: "auto-approved", decidedBy: null, decidedAt: null };
  return task({ ...known, id, output, children });
}
