/** @jsxImportSource @smooth/workflow */
/** A workflow that a sandbox runs: it writes a file where it works, and says what it sees. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { z } from "zod";
import { createSmithers } from "../../create-smithers.ts";

const { Workflow, Task, smithers, outputs } = createSmithers({
  input: z.object({ n: z.number().default(1) }),
  seen: z.object({ text: z.string() }),
  output: z.object({ n: z.number() }),
});

export const child = smithers(
  (ctx) => (
    <Workflow name="child">
      <Task id="look" output={outputs.seen}>
        {() => {
          const { GREETING: greeting, PATH, HOME: home } = process.env;
          writeFileSync("seen.json", JSON.stringify({ secret: existsSync(".env"), greeting, home, path: PATH !== "" }));
          return { text: readFileSync("given.txt", "utf8") };
        }}
      </Task>
      <Task id="write" output={outputs.output}>
        {() => {
          writeFileSync("made.txt", `${ctx.input.n} ${ctx.output(outputs.seen, "look").text}`);
          return { n: ctx.input.n * 2 };
        }}
      </Task>
    </Workflow>
  ),
  { name: "child" },
);
