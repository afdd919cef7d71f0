/** Folders of their own for tasks, and the names of their files. */
import type { GuardedFile } from "../guard.ts";
import { VCS } from "../rooms.ts";

const TESTS = `${VCS}/worktrees.test.ts`;
const HOOKS = `${VCS}/hooks.test.ts`;
const POINTERS = `${VCS}/pointers.test.ts`;

export const VCS_GUARDS: readonly GuardedFile[] = [
  {
    file: `${VCS}/worktrees.node.ts`,
    guards: [
      {
        id: "worktrees T1",
        text: "if ((await realOf(known.path)) === real) return known;",
        instead: "if (known.path === path) return known;",
        test: [TESTS, "T1: the repository may be reached by another path"],
      },
      {
        id: "worktrees T2 last",
        text: "if (there.runId !== null && there.runId !== runId) await steps.assign(there, runId); // T2",
        instead: "",
        test: [TESTS, "T2: a worktree goes with the run that used it last"],
      },
      {
        id: "worktrees T2 person",
        text: "if (there.runId !== null && there.runId !== runId)",
        instead: "if (there.runId !== runId)",
        test: [TESTS, "T2: what a person took over is used and left alone"],
      },
      {
        id: "worktrees T2 still",
        text: "if (still) await steps.remove(still); // T2",
        instead: "await steps.remove(still ?? { path, runId });",
        test: [TESTS, "T2: a worktree that another run takes while it is pruned stays"],
      },
      {
        id: "worktrees T3",
        text: "if (existsSync(path)) throw taken(path); // T3",
        instead: "void taken;",
        test: [TESTS, "T3: a folder that is there already is refused and left alone"],
      },
      {
        id: "worktrees T4",
        text: "return await withLock(join(home, lockName(await realOf(path))), clock, body); // T4",
        instead: "void withLock; void lockName; void clock; return await body();",
        test: [
          TESTS,
          "T1, T4: a worktree is made once, on its branch, whoever asks at the same time; files in it are its own",
        ],
      },
    ],
  },
  {
    file: `${VCS}/jj-worktrees.node.ts`,
    guards: [
      {
        id: "jj worktrees J3",
        text: "if (branch !== null) await jj(repo",
        instead: "if (branch === null) await jj(repo",
        test: [TESTS, "J3: what is written in a worktree is on its branch, and still is when the worktree is gone"],
      },
      {
        id: "jj worktrees J4",
        text: "if (await isWorkspace(repo, path)) await rm(path",
        instead: "void isWorkspace; await rm(path",
        test: [TESTS, "T3: what came into a worktree's place is not removed with it"],
      },
    ],
  },
  {
    file: `${VCS}/git-pointers.node.ts`,
    guards: [
      {
        id: "pointers P4 held",
        text: '`refs/smooth/pointers/${hash("sha256", runId).slice(0, 20)}`',
        instead: "(void hash, void runId, `refs/smooth/pointers/all`)",
        test: [POINTERS, "P4: a pointer holds as long as one of the runs that asked for it is remembered"],
      },
      {
        id: "pointers P5",
        text: "await utimes(to, wholeSecond, wholeSecond);",
        instead: "",
        test: [POINTERS, "P5: a file of the same size, written in the second of the index, is in the pointer"],
      },
      {
        id: "pointers P4 dropped",
        text: 'if (list !== "") await',
        instead: 'if (list === "") await',
        test: [POINTERS, "P4: a pointer holds as long as one of the runs that asked for it is remembered"],
      },
    ],
  },
  {
    file: `${VCS}/hooks.node.ts`,
    guards: [
      {
        id: "hooks H1",
        text: "hooksAt(vcsRootOf(dirname(path)) ?? root)",
        instead: "hooksAt(root)",
        test: [HOOKS, "H1: hooks are where git looks for them, from each worktree's own root"],
      },
      {
        id: "hooks H1 real",
        text: "...folders.map(realOf), ",
        instead: "",
        test: [HOOKS, "H1: an absolute folder counts from everywhere, and by every way to it"],
      },
      {
        id: "hooks H2",
        text: "...linked]",
        instead: "...linked.slice(linked.length)]",
        test: [HOOKS, "H2: what a hook is a link to is one"],
      },
    ],
  },
];
