import type { ReactElement } from "react";
import { host } from "../components/host.ts";
import { Approval, type ApprovalProps } from "../components/approval.ts";
import { knownProps, task, type OutputTarget } from "./parts.ts";

export type ApprovalGateProps = Omit<ApprovalProps<OutputTarget>, "mode" | "options" | "children"> & {
  /** True: a person decides. False: approved at once, with a row of the same shape. */
  readonly when: boolean;
};

const onlyKnown = knownProps<ApprovalGateProps>("ApprovalGate", {
  when: true,
  id: true,
  output: true,
  outputSchema: true,
  request: true,
  onDeny: true,
  timeoutMs: true,
  retries: true,
  retryPolicy: true,
  autoApprove: true,
  allowedUsers: true,
  allowedScopes: true,
  async: true,
  dependsOn: true,
  needs: true,
  skipIf: true,
  label: true,
  meta: true,
  continueOnFail: true,
});

/** An approval only where one is needed; what comes after reads the same row either way. */
export function ApprovalGate(props: ApprovalGateProps): ReactElement | null {
  onlyKnown(props);
  const { when, ...approval } = props;
  if (when) return host(Approval, approval);
  const { id, output, outputSchema, dependsOn, needs, skipIf, label, meta } = approval;
  const given = { outputSchema, dependsOn, needs, skipIf, label, meta };
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const children = { approved: true, note: "auto-approved", decidedBy: null, decidedAt: null };
  return task({ ...known, id, output, children });
}
