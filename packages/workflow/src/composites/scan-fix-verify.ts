import type { ReactElement, ReactNode } from "react";
import { SmoothError } from "@smooth/protocol/errors";
import { host } from "../components/host.ts";
import { Loop } from "../components/loop.ts";
import {
  knownProps,
  list,
  parallel,
  prompt,
  sequence,
  task,
  told,
  useRows,
  type AgentLike,
  type LooseRow,
  type OutputTarget,
} from "./parts.ts";

export interface ScanFixVerifyProps {
  /** Default `sfv`. Tasks: `{id}-scan`, `{id}-fix-{n}`, `{id}-verify`, `{id}-report`. */
  readonly id?: string;
  readonly scanner: AgentLike;
  /** Several take turns over the issues. */
  readonly fixer: AgentLike | readonly AgentLike[];
  readonly verifier: AgentLike;
  /** With `issues: […]`. */
  readonly scanOutput: OutputTarget;
  readonly fixOutput: OutputTarget;
  /** Clear when `allClear` or `passed` is true, or when its `issues` are none. */
  readonly verifyOutput: OutputTarget;
  readonly reportOutput: OutputTarget;
  readonly maxConcurrency?: number;
  /** Default 3. */
  readonly maxRetries?: number;
  readonly skipIf?: boolean;
  /** What to scan for. */
  readonly children?: ReactNode;
}

const onlyKnown = knownProps<ScanFixVerifyProps>("ScanFixVerify", {
  id: true,
  scanner: true,
  fixer: true,
  verifier: true,
  scanOutput: true,
  fixOutput: true,
  verifyOutput: true,
  reportOutput: true,
  maxConcurrency: true,
  maxRetries: true,
  skipIf: true,
  children: true,
});

/** Scan, fix every issue at once, verify; again until it is clear. The report comes in any case. */
export function ScanFixVerify(props: ScanFixVerifyProps): ReactElement | null {
  onlyKnown(props);
  const { id = "sfv", scanOutput, verifyOutput, maxRetries = 3, children } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  if (list(props.fixer).length === 0)
    throw new SmoothError("INVALID_INPUT", `<ScanFixVerify id="${id}"> needs a fixer`);
  const found = rows.at(scanOutput, `${id}-scan`);
  const verified = rows.latest(verifyOutput, `${id}-verify`);
  const scan = task({
    id: `${id}-scan`,
    output: scanOutput,
    agent: props.scanner,
    children: prompt(children ?? "Scan for problems.", told("The last verification", verified)),
  });
  const verify = task({
    id: `${id}-verify`,
    output: verifyOutput,
    agent: props.verifier,
    children: prompt("Verify that these issues are fixed.", told("The issues", found?.["issues"])),
  });
  const report = task({
    id: `${id}-report`,
    output: props.reportOutput,
    agent: props.verifier,
    children: prompt(
      "Report what was found and what became of it.",
      told("The last scan", rows.latest(scanOutput, `${id}-scan`)),
      told("The last verification", verified),
    ),
  });
  const body = sequence(scan, host(Fixes, { ...props, id }), verify);
  return sequence(host(Loop, { id: `${id}-loop`, until: isClear(verified), maxIterations: maxRetries }, body), report);
}

/** One fixer per issue. It stands inside the loop, so that it sees the issues of its own pass. */
function Fixes({ id = "sfv", fixer, fixOutput, scanOutput, maxConcurrency }: ScanFixVerifyProps): ReactElement {
  const issues = useRows().at(scanOutput, `${id}-scan`)?.["issues"] ?? [];
  const fixers = list(fixer);
  const fixes = (list(issues) as readonly unknown[]).flatMap((issue, at) => {
    const agent = fixers[at % fixers.length];
    const children = prompt("Fix this issue.", told("The issue", issue));
    return agent ? [task({ id: `${id}-fix-${at + 1}`, output: fixOutput, agent, continueOnFail: true, children })] : [];
  });
  return parallel({ ...(maxConcurrency !== undefined && { maxConcurrency }) }, ...fixes);
}

const isClear = (verified: LooseRow | undefined): boolean =>
  verified?.["allClear"] === true ||
  verified?.["passed"] === true ||
  (Array.isArray(verified?.["issues"]) && verified["issues"].length === 0);
