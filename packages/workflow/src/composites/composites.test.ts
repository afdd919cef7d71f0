/** Every composite refuses by its name a prop that it does not have. */
import { expect, test } from "vitest";
import { h } from "../jsx-runtime.ts";
import { ApprovalGate } from "./approval-gate.ts";
import { CheckSuite } from "./check-suite.node.ts";
import { ClassifyAndRoute } from "./classify-and-route.ts";
import { ContentPipeline } from "./content-pipeline.ts";
import { Debate } from "./debate.ts";
import { DecisionTable } from "./decision-table.ts";
import { DriftDetector } from "./drift-detector.ts";
import { EscalationChain } from "./escalation-chain.ts";
import { ExtractPrompt } from "./extract-prompt.ts";
import { GatherAndSynthesize } from "./gather-and-synthesize.ts";
import { Kanban } from "./kanban.ts";
import { LoopUntilScored } from "./loop-until-scored.ts";
import { Optimizer } from "./optimizer.ts";
import { Panel } from "./panel.ts";
import { Poller } from "./poller.ts";
import { ReviewLoop } from "./review-loop.ts";
import { Runbook } from "./runbook.node.ts";
import { ScanFixVerify } from "./scan-fix-verify.ts";
import { SuperSmithers } from "./super-smithers.ts";
import { Supervisor } from "./supervisor.ts";
import { runToEnd } from "./testing.ts";

const COMPOSITES = {
  ApprovalGate,
  CheckSuite,
  ClassifyAndRoute,
  ContentPipeline,
  Debate,
  DecisionTable,
  DriftDetector,
  EscalationChain,
  ExtractPrompt,
  GatherAndSynthesize,
  Kanban,
  LoopUntilScored,
  Optimizer,
  Panel,
  Poller,
  ReviewLoop,
  Runbook,
  ScanFixVerify,
  SuperSmithers,
  Supervisor,
};

test.each(Object.entries(COMPOSITES))(
  "a prop that <%s> does not have is refused by its name",
  async (name, component) => {
    const { result } = await runToEnd(() => h(component as never, { maxIteratoins: 3 } as never));

    expect(result).toMatchObject({ status: "failed", error: { code: "PROP_UNSUPPORTED" } });
    expect(JSON.stringify(result)).toContain(`<${name}> has no prop \`maxIteratoins\``);
  },
);
