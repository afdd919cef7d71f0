/** @jsxImportSource smithers-orchestrator */
/** Lint errors are found, fixed by one agent each, and verified; what survives is fixed in the next pass. */
import { createSmithers, ScanFixVerify } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  scan: z.object({ issues: z.array(z.string()) }),
  fix: z.object({ file: z.string() }),
  verify: z.object({ issues: z.array(z.string()) }),
  output: z.object({ summary: z.string() }),
});

const scanner = scriptedAgent({
  answers: ({ iteration }) => ({ issues: iteration === 0 ? ["a.ts: unused x", "b.ts: any"] : ["b.ts: any"] }),
});
const fixer = scriptedAgent({ answers: ({ prompt }) => ({ file: prompt.includes("a.ts") ? "a.ts" : "b.ts" }) });
const verifier = scriptedAgent({
  answers: ({ prompt, iteration }) =>
    prompt.startsWith("Report") ? { summary: "two issues fixed" } : { issues: iteration === 0 ? ["b.ts: any"] : [] },
});

export default smithers(() => (
  <Workflow name="scan-fix-verify">
    <ScanFixVerify
      scanner={scanner}
      fixer={fixer}
      verifier={verifier}
      scanOutput={outputs.scan}
      fixOutput={outputs.fix}
      verifyOutput={outputs.verify}
      reportOutput={outputs.output}
    >
      Scan the code for lint errors.
    </ScanFixVerify>
  </Workflow>
));
