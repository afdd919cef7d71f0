import type { ReactElement } from "react";
import { knownProps, parallel } from "./parts.ts";
import { host } from "../components/host.ts";
import { Branch } from "../components/branch.ts";

export interface DecisionRule {
  readonly when: boolean;
  // A rule is configured with an element, as in the documented API.
  // oxlint-disable-next-line unicorn/no-thenable
  readonly then: ReactElement;
  readonly label?: string;
}

export interface DecisionTableProps {
  readonly id?: string;
  readonly rules: readonly DecisionRule[];
  /** When no rule matches. */
  readonly default?: ReactElement;
  /** `first-match` (default): order matters. `all-match`: every matching rule, at the same time. */
  readonly strategy?: "first-match" | "all-match";
  readonly skipIf?: boolean;
}

const onlyKnown = knownProps<DecisionTableProps>("DecisionTable", {
  id: true,
  rules: true,
  default: true,
  strategy: true,
  skipIf: true,
});

/** Rules instead of nested branches. */
export function DecisionTable(props: DecisionTableProps): ReactElement | null {
  onlyKnown(props);
  const { id, rules, default: otherwise = null, strategy = "first-match", skipIf } = props;
  if (skipIf) return null;
  const matching = rules.filter(({ when }) => when);
  if (strategy === "all-match" && matching.length > 0)
    return parallel({ ...(id && { id }) }, ...matching.map((rule, at) => host(Branch, yes(rule, at))));
  const first = matching[0];
  return first ? host(Branch, yes(first, 0)) : otherwise;
}

// oxlint-disable-next-line unicorn/no-thenable -- the documented prop of Branch
const yes = ({ then, label }: DecisionRule, at: number) => ({ key: label ?? at, if: true, then });
