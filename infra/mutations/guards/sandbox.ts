/** What comes out of a sandbox, and where it is written. */
import type { GuardedFile } from "../guard.ts";
import { WORKFLOW } from "../rooms.ts";

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
        id: "apply W4 meanwhile",
        text: "if (inTheWay !== null) throw conflict(root, inTheWay);\n",
        instead: "",
        test: [TESTS, "W4: a link that comes while a bundle is written is not followed"],
      },
    ],
  },
];
