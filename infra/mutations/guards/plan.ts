/** Identity, plans, frames, rows and input. */
import type { GuardedFile } from "../guard.ts";
import { RULES, WORKFLOW, ENGINE } from "../rooms.ts";

export const PLAN_GUARDS: readonly GuardedFile[] = [
  {
    file: `${ENGINE}/graph/leaves/task.ts`,
    guards: [
      {
        id: "a stranger in a chain",
        text: "if (given.every(isAgent)) return given;",
        instead: "return given.filter(isAgent);",
        test: [`${RULES}/bad-input.test.tsx`, "%s fails the run before anything starts"],
      },
    ],
  },
  {
    file: `${ENGINE}/graph/identity.ts`,
    guards: [
      {
        id: "identity I1",
        text: `key.lastIndexOf("::")`,
        instead: `key.indexOf("::")`,
        test: [
          `${ENGINE}/graph/identity.test.ts`,
          "I1: a state key is split at its last `::`, so ids that hold one survive",
        ],
      },
      {
        id: "identity I2",
        text: "${chain[depth - 1]}=${iteration}",
        instead: "${chain[depth - 1]}",
        test: [
          `${ENGINE}/graph/identity.test.ts`,
          "I2: every ancestor loop but the innermost is in the node id; the innermost is the iteration",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/graph/walk.ts`,
    guards: [
      {
        id: "plan X1",
        text: "if (walk.chains.has(id))",
        instead: "if (false)",
        test: [`${RULES}/identity.test.tsx`, "X1: two elements with one id are refused before anything runs"],
      },
      {
        id: "plan named by place",
        text: "walk.warnings.push(\n    `a <${name}>",
        instead: "[].push(\n    `a <${name}>",
        test: [
          `${RULES}/loops.test.tsx`,
          "a loop without an id is named after its place, with a warning; concurrent bodies are warned about",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/graph/scopes.ts`,
    guards: [
      {
        id: "plan X1 saga steps",
        text: "if (saga.steps.has(stepId))",
        instead: "if (false)",
        test: [`${RULES}/saga.test.tsx`, "two steps of one saga with one id are refused before anything runs"],
      },
      {
        id: "plan X3 reverse",
        text: "compensations.toReversed()",
        instead: "compensations",
        test: [`${RULES}/saga.test.tsx`, "onFailure %s ends %s"],
      },
    ],
  },
  {
    file: `${ENGINE}/graph/extract.ts`,
    guards: [
      {
        id: "plan X2 loop",
        text: "walk.warnings.push(`loop",
        instead: '[""].push(`loop',
        test: [
          `${RULES}/loops.test.tsx`,
          "a loop without an id is named after its place, with a warning; concurrent bodies are warned about",
        ],
      },
      {
        id: "plan X2 worktree",
        text: "walk.warnings.push(`worktree",
        instead: '[""].push(`worktree',
        test: [
          `${RULES}/loops.test.tsx`,
          "a Worktree whose body has several children outside a Sequence is warned about",
        ],
      },
      {
        id: "plan one root",
        text: "root.tag !== HOST.workflow || others.length > 0)",
        instead: "false)",
        test: [`${RULES}/bad-input.test.tsx`, "a frame %s is WORKFLOW_RENDER_FAILED, and nothing runs"],
      },
      {
        id: "plan stray text",
        text: `else if (node.text.trim() !== "")`,
        instead: "else if (walk.drafts.length < 0)",
        test: [`${RULES}/bad-input.test.tsx`, "a frame %s is WORKFLOW_RENDER_FAILED, and nothing runs"],
      },
      {
        id: "plan caps",
        text: "if (given === undefined || Number.isNaN(given) || given <= 0) return Infinity;",
        instead: "if (given === undefined) return Infinity;",
        test: [`${RULES}/scheduling.test.tsx`, "a Parallel with maxConcurrency %s runs %i of 6 at once"],
      },
      {
        id: "plan fractions",
        text: "return Math.max(1, Math.floor(given));",
        instead: "return given;",
        test: [`${RULES}/scheduling.test.tsx`, "a Parallel with maxConcurrency %s runs %i of 6 at once"],
      },
      {
        id: "plan lanes",
        text: "(given >= 1 ? Math.floor(given) : 1)",
        instead: "given",
        test: [`${RULES}/scheduling.test.tsx`, "a MergeQueue with maxConcurrency %s runs %i at once"],
      },
      {
        id: "plan approval gates children",
        text: "edges: [...draft.edges, gate.id]",
        instead: "edges: draft.edges",
        test: [
          `${RULES}/approvals.test.tsx`,
          "the children of an Approval come after it: denied with onDeny %s they do not run",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/graph/props.ts`,
    guards: [
      {
        id: "props unknown",
        text: `if (element.props[name] === undefined || name === "children" || known.includes(name)) continue;`,
        instead: "continue;",
        test: [`${RULES}/task.test.tsx`, "a prop that is not implemented is refused by name"],
      },
      {
        id: "props wrong type",
        text: "if (!is.test(value)) throw badProp(element, name, is.wanted);",
        instead: "",
        test: [`${RULES}/bad-input.test.tsx`, "%s fails the run before anything starts"],
      },
    ],
  },
  {
    file: `${ENGINE}/render/renderer.ts`,
    guards: [
      {
        id: "render R1 throws",
        text: "if (failures.length > 0) throw renderFailed(failures[0]); // R1",
        instead: "",
        test: [`${RULES}/endings.test.tsx`, "a render that throws says why, and where in the author's file"],
      },
      {
        id: "render R1 suspends",
        text: "if (failures.length === 0 && container.commits === before)",
        instead: "if (false)",
        test: [`${RULES}/endings.test.tsx`, "a frame that %s is WORKFLOW_RENDER_FAILED, and says so"],
      },
      {
        id: "render depth",
        text: "if (depth < MAX_DEPTH) return depth + 1;",
        instead: "return depth + 1;",
        test: [`${RULES}/bad-input.test.tsx`, "elements nested without measure fail their own run, and no other"],
      },
    ],
  },
  {
    file: `${ENGINE}/render/ctx.ts`,
    guards: [
      {
        id: "ctx C1 node",
        text: `source.onRead(table.name, nodeId);
    const at`,
        instead: "const at",
        test: [`${RULES}/ctx.test.tsx`, "C1: a frame that looked by %s is rendered again when the row is recorded"],
      },
      {
        id: "ctx C1 table",
        text: `source.onRead(table.name, "*");`,
        instead: "",
        test: [`${RULES}/ctx.test.tsx`, "C1: a frame that looked by %s is rendered again when the row is recorded"],
      },
      {
        id: "ctx C1 rows of a node",
        text: `source.onRead(table.name, nodeId);
    return`,
        instead: "return",
        test: [`${RULES}/ctx.test.tsx`, "C1: a frame that looked by %s is rendered again when the row is recorded"],
      },
      {
        id: "ctx C2 loop read",
        text: "if (chain.length > 0) source.onLoopRead();",
        instead: "",
        test: [`${RULES}/ctx.test.tsx`, "F3: a frame that asked where its loop is, by %s, is rendered for each pass"],
      },
      {
        id: "ctx C2",
        text: "iteration: iteration ?? at.iteration }",
        instead: "iteration: iteration ?? 0 }",
        test: [
          `${RULES}/ctx.test.tsx`,
          "C2: without an iteration a lookup means the pass its loop is at; one outside of loops its own",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/frames.ts`,
    guards: [
      {
        id: "frames F3 loops",
        text: "if (this.#readsLoops || !this.#renderer.stands()) return undefined;",
        instead: "if (!this.#renderer.stands()) return undefined;",
        test: [`${RULES}/ctx.test.tsx`, "F3: a frame that asked where its loop is, by %s, is rendered for each pass"],
      },
      {
        id: "frames F3 set state",
        text: "if (this.#readsLoops || !this.#renderer.stands()) return undefined;",
        instead: "if (this.#readsLoops) return undefined;",
        test: [`${RULES}/ctx.test.tsx`, "F3: what a component was told between two passes shows in the next one"],
      },
      {
        id: "frames F3 read anew",
        text: "this.#drafts = undefined;",
        instead: "",
        test: [
          `${RULES}/ctx.test.tsx`,
          "F3: passes without a render, then one that was rendered: its bodies are the new frame's",
        ],
      },
      {
        id: "frames F3 scopes",
        text: "return this.#learn(plan) ? undefined : plan;",
        instead: `this.#learn(plan);
    return plan;`,
        test: [`${RULES}/ctx.test.tsx`, "F3: a pass after one that failed shows no catch"],
      },
      {
        id: "frames F2",
        text: "if (!this.#learn(plan)) return plan;",
        instead: `this.#learn(plan);
      return plan;`,
        test: [
          `${RULES}/ctx.test.tsx`,
          "F2: a resumed run that looks before it knows the node's loop does not take the row of an earlier pass",
        ],
      },
      {
        id: "frames F2 scopes",
        text: "return this.#learnHandles(plan) || moved;",
        instead: `this.#learnHandles(plan);
    return moved;`,
        test: [
          `${RULES}/failures.test.tsx`,
          "a run resumed between failure and catch goes on with the catch, given the same error",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/run/input.ts`,
    guards: [
      {
        id: "input depth",
        text: "if (depthOver(input, MAX_DEPTH))",
        instead: "if (false)",
        test: [`${RULES}/bad-input.test.tsx`, "an input nested 32 deep is taken, one level more is refused"],
      },
      {
        id: "input size",
        text: "if (sizeBytes > MAX_INPUT_BYTES)",
        instead: "if (false)",
        test: [`${RULES}/ctx.test.tsx`, "input is parsed with defaults, bounded and frozen"],
      },
      {
        id: "input frozen",
        text: "return deepFreeze(handedOver",
        instead: "return (handedOver",
        test: [`${RULES}/ctx.test.tsx`, "input is parsed with defaults, bounded and frozen"],
      },
      {
        id: "input as stored",
        text: ".safeParse(JSON.parse(text))",
        instead: ".safeParse(input)",
        test: [
          `${RULES}/bad-input.test.tsx`,
          "the first frame sees the input as a resumed run will: as JSON gives it back",
        ],
      },
    ],
  },
  {
    file: `${ENGINE}/outputs/table.ts`,
    guards: [
      {
        id: "rows O1 absent",
        text: `nullMeans: exact && nullable ? "null" : "absent"`,
        instead: `nullMeans: "absent"`,
        test: [`${ENGINE}/store/sqlite.test.ts`, "O1: a row comes back exactly"],
      },
      {
        id: "rows O1 dates",
        text: `if (raw instanceof Date) return ["date", raw.toISOString()];`,
        instead: "",
        test: [
          `${RULES}/rows.test.tsx`,
          "one row per (run, node, iteration), in a table per schema, with snake_case columns; every value comes back as it was",
        ],
      },
      {
        id: "rows O1 gaps",
        text: "if (Array.isArray(raw) && raw.includes(undefined))",
        instead: "if (false)",
        test: [
          `${RULES}/rows.test.tsx`,
          "one row per (run, node, iteration), in a table per schema, with snake_case columns; every value comes back as it was",
        ],
      },
      {
        id: "rows O3",
        text: "if (!isData(this[key]))",
        instead: "if (false)",
        test: [
          `${RULES}/rows.test.tsx`,
          "O3: a value that could not come back as it was is refused, never recorded as another one: %s",
        ],
      },
      {
        id: "rows O1 own tag",
        text: `if (typeof raw === "object" && raw !== null && Object.hasOwn(raw, TAG)) return ["object", Object.entries(raw)];`,
        instead: "",
        test: [
          `${RULES}/rows.test.tsx`,
          "one row per (run, node, iteration), in a table per schema, with snake_case columns; every value comes back as it was",
        ],
      },
      {
        id: "rows O1 unicode",
        text: "value.toWellFormed()",
        instead: "value",
        test: [
          `${WORKFLOW}/garbage-agents.test.tsx`,
          "half a character becomes U+FFFD when it is recorded, so that live and resumed runs read the same",
        ],
      },
      {
        id: "rows O2",
        text: `key.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase()`,
        instead: "key",
        test: [
          `${RULES}/rows.test.tsx`,
          "one row per (run, node, iteration), in a table per schema, with snake_case columns; every value comes back as it was",
        ],
      },
      {
        id: "rows O2 key columns",
        text: "return KEY_COLUMNS.has(name) ? `${name}_field` : name;",
        instead: "return name;",
        test: [`${RULES}/rows.test.tsx`, "fields called like a key column have columns of their own"],
      },
      {
        id: "rows O2 one column",
        text: "if (other !== undefined) throw sameColumn(name, column, [other, key]); // O2",
        instead: "",
        test: [
          `${RULES}/rows.test.tsx`,
          "O2: an output with the fields %s and %s is refused when it is made: both would be one column",
        ],
      },
    ],
  },
];
