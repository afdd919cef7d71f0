/** @jsxImportSource @smooth/workflow */
/** For the tests of sandboxes: a workflow of one sandbox and a step after it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { outputs, Sandbox, smithers, Task, Workflow } from "../rules.ts";

export const readIn = (root: string, path: string): string => readFileSync(join(root, path), "utf8");

export const boxed = (props: object = {}) =>
  smithers(() => (
    <Workflow name="boxed">
      <Sandbox id="box" output={outputs.n} command="work" {...props} />
      <Task id="after" output={outputs.text}>
        {{ text: "after" }}
      </Task>
    </Workflow>
  ));
