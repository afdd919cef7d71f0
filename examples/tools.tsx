/** @jsxImportSource smithers-orchestrator */
/** An agent with tools: built-in ones, which cannot leave the run's folder, and one of our own with side effects. */
import { createSmithers, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { defineTool, read, write } from "smithers-orchestrator/tools";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  output: z.object({ text: z.string(), ticket: z.string() }),
});

const fileTicket = defineTool({
  name: "file_ticket",
  description: "Files a ticket.",
  schema: z.object({ title: z.string() }),
  sideEffect: true,
  idempotent: true,
  execute: async ({ title }) => `T-1: ${title}`,
});
const worker = scriptedAgent({
  tools: { read, write, file_ticket: fileTicket },
  answers: async ({ callTool }) => {
    await callTool("write", { path: "notes.md", content: "remember the tests" });
    const text = await callTool("read", { path: "notes.md" });
    return { text: String(text), ticket: String(await callTool("file_ticket", { title: "tests" })) };
  },
});

export default smithers(() => (
  <Workflow name="tools">
    <Task id="work" output={outputs.output} agent={worker}>
      Write down what to remember, and file a ticket.
    </Task>
  </Workflow>
));
