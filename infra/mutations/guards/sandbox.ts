/** What comes out of a sandbox, and where it is written. */
import type { GuardedFile } from "../guard.ts";
import { RULES, WORKFLOW } from "../rooms.ts";

const SANDBOX = `${WORKFLOW}/sandbox`;
const TESTS = `${SANDBOX}/bundle.test.ts`;

export const SANDBOX_GUARDS: readonly GuardedFile[] = [
  {
    file: `${SANDBOX}/collect.node.ts`,
    guards: [
      {
        id: "collect B4 asked",
        text: `(asked.has(path) ? null : "nobody asked for it")`,
        instead: `(asked.has(path) ? null : null)`,
        test: [TESTS, "B4: what nobody asked for is refused"],
      },
      {
        id: "collect B4 folders",
        text: "for (const way of new Set(paths.flatMap(waysTo)))",
        instead: "for (const way of new Set<string>())",
        test: [TESTS, "B4: a path through a link of the bundle is refused"],
      },
      {
        id: "collect J1",
        text: "pathRefusal(path) ?? refusal(join(root, path))",
        instead: "refusal(join(root, path))",
        test: [TESTS, "J1, J2: %j is refused whole"],
      },
      {
        id: "collect J2",
        text: `if (after?.kind !== "link") continue;`,
        instead: "continue;",
        test: [TESTS, "J1, J2: %j is refused whole"],
      },
    ],
  },
  {
    file: `${SANDBOX}/apply.node.ts`,
    guards: [
      {
        id: "apply W4 own link",
        text: "if (buried !== null) throw buriedFault(buried); // W4",
        instead: "void buriedFault;",
        test: [TESTS, "W4: a bundle is not written through its own link, and nothing of it is written"],
      },
      {
        id: "apply W4 earlier link",
        text: "if (info && !info.isDirectory()) return way;",
        instead: "",
        test: [TESTS, "W4: a bundle is not written through the link that an earlier one left"],
      },
      {
        id: "apply W6",
        text: "if (stays === undefined) return null;",
        instead: "return null; void stays;",
        test: [TESTS, "W6: a folder that holds what no sandbox saw stays, and nothing is written"],
      },
      {
        id: "apply folder",
        text: "if (inTheWay !== null && bundle.has(inTheWay)) return null;",
        instead: "if (inTheWay !== null && bundle.get(inTheWay) === null) return null;",
        test: [TESTS, "a folder that became a file is written so, and done again nothing is in its way"],
      },
      {
        id: "apply W3 beside",
        text: 'join(dirname(at), `${PART}${hash("sha256", path).slice(0, 16)}`)',
        instead: "(void hash, void PART, `${at}.smooth-part`)",
        test: [TESTS, "W3: a file of the longest name, and one called as a half-written one, are written whole"],
      },
      {
        id: "apply W4 meanwhile",
        text: "if (inTheWay !== null) throw conflict(root, inTheWay);\n",
        instead: "",
        test: [TESTS, "W4: a link that comes while a bundle is written is not followed"],
      },
    ],
  },
  {
    file: `${SANDBOX}/judge.node.ts`,
    guards: [
      {
        id: "judge J1 shown",
        text: "if (REORDERING.test(path)) return",
        instead: "if (REORDERING.test(path) && false) return",
        test: [TESTS, "J1: the name %j is refused"],
      },
      {
        id: "judge J1 part",
        text: "name.startsWith(PART)",
        instead: "name === PART",
        test: [TESTS, "J1: the name %j is refused"],
      },
      {
        id: "judge J4",
        text: `path.normalize("NFC").toLowerCase()`,
        instead: "path",
        test: [TESTS, "J4: two names that some file system takes for one are refused, and a file may be called anew"],
      },
    ],
  },
  {
    file: `${SANDBOX}/patch.ts`,
    guards: [
      {
        id: "patch P4",
        text: "REORDERING.test(text) ||",
        instead: "false ||",
        test: [`${SANDBOX}/patch.test.ts`, "P4: %s is called so"],
      },
    ],
  },
  {
    file: `${SANDBOX}/sandboxes.node.ts`,
    guards: [
      {
        id: "sandboxes N4",
        text: "isHook(path) ?",
        instead: "isHook(path) && false ?",
        test: [`${RULES}/sandbox-bundles.test.tsx`, "N4: a sandbox writes no hook, wherever git looks for them"],
      },
    ],
  },
  {
    file: `${SANDBOX}/enclose.node.ts`,
    guards: [
      {
        id: "enclose E3",
        text: "if (hash !== undefined && sha256(text) !== hash)",
        instead: "if (hash !== undefined && sha256(text) === undefined)",
        test: [`${RULES}/sandbox.test.tsx`, "E3: a file that changed since the run loaded it goes into no sandbox"],
      },
    ],
  },
];
