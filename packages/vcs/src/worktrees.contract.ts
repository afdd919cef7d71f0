import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@smooth/platform/node/system";
import { expect, test } from "vitest";
import type { Worktrees } from "./vcs.ts";
import { worktreesOf } from "./worktrees.node.ts";

/** A version control as a person uses it beside us. */
export interface RepoInHand {
  /** With a commit on `main` that holds `a.txt`: "one\n". Removed by whoever made it. */
  make(): string;
  /** Makes a branch at `main`. */
  branch(repo: string, name: string): void;
  branches(repo: string): readonly string[];
  /** "": none. */
  branchIn(worktree: string): string;
  /** The commit that the work in it starts from. */
  baseOf(worktree: string): string;
  commitOf(repo: string, name: string): string;
  /** How many there are, the repository's own folder included. */
  count(repo: string): number;
  /** Says that nobody but this person disposes of it. */
  takeOver(repo: string, worktree: string): void;
}

const work = { path: ".worktrees/a", branch: "work/a", baseBranch: "main" };
const anotherProcess = (repo: string): Worktrees => worktreesOf(repo, systemClock);

export function worktreesContract(hand: RepoInHand): void {
  const made = (): readonly [string, Worktrees] => {
    const repo = hand.make();
    return [repo, worktreesOf(repo, systemClock)];
  };

  test("T1, T4: a worktree is made once, on its branch, whoever asks at the same time; files in it are its own", async () => {
    const [repo, one] = made();

    const opened = await Promise.all([
      one.open(work, "run-1"),
      one.open(work, "run-1"),
      anotherProcess(repo).open(work, "run-1"),
    ]);
    await anotherProcess(repo).open(work, "run-2");
    const [{ path }] = opened;
    writeFileSync(join(path, "a.txt"), "two\n");

    expect(new Set(opened.map((each) => each.path))).toEqual(new Set([join(repo, work.path)]));
    expect(hand.branchIn(path)).toBe("work/a");
    expect(readFileSync(join(repo, "a.txt"), "utf8")).toBe("one\n");
    expect(hand.count(repo)).toBe(2);
  });

  test("T1: the repository may be reached by another path", async () => {
    const [repo, trees] = made();
    const { path } = await trees.open(work, "run-1");
    symlinkSync(repo, `${repo}/link`);

    const again = await anotherProcess(`${repo}/link`).open(work, "run-2");

    expect([again.path, hand.count(repo)]).toEqual([join(repo, "link", work.path), 2]);
    expect(await trees.of("run-2")).toEqual([path]);
  });

  test("an existing branch is gone on with; without a branch there is none; a base that is not there is the last commit", async () => {
    const [repo, trees] = made();
    hand.branch(repo, "there");

    const there = await trees.open({ ...work, branch: "there" }, "run-1");
    const detached = await trees.open({ path: ".worktrees/b", branch: null, baseBranch: "no such--(" }, "run-1");

    expect([hand.branchIn(there.path), hand.branchIn(detached.path)]).toEqual(["there", ""]);
    expect(hand.baseOf(detached.path)).toBe(hand.commitOf(repo, "main"));
    expect(hand.branches(repo).toSorted()).toEqual(["main", "there"]);
  });

  test("T2: pruning a run removes its worktrees and no others; the branches stay", async () => {
    const [repo, trees] = made();
    const mine = await trees.open(work, "run-1");
    const others = await trees.open({ ...work, path: ".worktrees/c", branch: "work/c" }, "run-2");
    writeFileSync(join(mine.path, "dirty"), "x");

    await anotherProcess(repo).prune("run-1");

    expect([existsSync(mine.path), existsSync(others.path), hand.count(repo)]).toEqual([false, true, 2]);
    expect(hand.branches(repo)).toContain("work/a");
    expect(hand.branchIn((await trees.open(work, "run-3")).path)).toBe("work/a");
  });

  test("T2: a worktree goes with the run that used it last", async () => {
    const [repo, trees] = made();
    const { path } = await trees.open(work, "run-1");
    await anotherProcess(repo).open(work, "run-2");

    await trees.prune("run-1");

    expect([existsSync(path), await trees.of("run-1"), await trees.of("run-2")]).toEqual([true, [], [path]]);
  });

  test("T2: a worktree that another run takes while it is pruned stays", async () => {
    const [repo, trees] = made();
    const { path } = await trees.open(work, "run-1");

    await Promise.all([anotherProcess(repo).open(work, "run-2"), trees.prune("run-1")]);

    expect([existsSync(path), await trees.of("run-2")]).toEqual([true, [path]]);
  });

  test("T2: what a person took over is used and left alone", async () => {
    const [repo, trees] = made();
    const { path } = await trees.open(work, "run-1");
    hand.takeOver(repo, path);

    await trees.open(work, "run-3");
    await trees.prune("run-1");
    await trees.prune("run-3");

    expect([existsSync(path), await trees.of("run-1"), await trees.of("run-3")]).toEqual([true, [], []]);
  });

  test("a worktree whose folder somebody deleted is made again", async () => {
    const [repo, trees] = made();
    const { path } = await trees.open(work, "run-1");
    rmSync(path, { recursive: true });

    await trees.open(work, "run-2");

    expect([existsSync(join(path, "a.txt")), hand.branchIn(path), hand.count(repo)]).toEqual([true, "work/a", 2]);
    expect(await trees.of("run-2")).toEqual([path]);
  });

  test("what is gone already can be pruned", async () => {
    const [repo, trees] = made();
    const { path } = await trees.open(work, "run-1");
    rmSync(path, { recursive: true });

    await trees.prune("run-1");

    expect([hand.count(repo), await trees.of("run-1")]).toEqual([1, []]);
  });

  test("T3: a folder that is there already is refused and left alone", async () => {
    const [repo, trees] = made();
    mkdirSync(join(repo, "mine"));
    writeFileSync(join(repo, "mine/x"), "x");

    await expect(trees.open({ ...work, path: "mine" }, "run-1")).rejects.toMatchObject({ code: "VCS_FAILED" });

    expect(readFileSync(join(repo, "mine/x"), "utf8")).toBe("x");
    expect([hand.branches(repo), await trees.of("run-1")]).toEqual([["main"], []]);
  });

  test("T3: what came into a worktree's place is not removed with it", async () => {
    const [repo, trees] = made();
    const { path } = await trees.open(work, "run-1");
    renameSync(path, `${repo}/elsewhere`);
    mkdirSync(path);
    writeFileSync(join(path, "x"), "mine");

    await trees.prune("run-1");

    expect([readFileSync(join(path, "x"), "utf8"), hand.count(repo), await trees.of("run-1")]).toEqual(["mine", 1, []]);
  });

  test("where no worktree was ever made there is nothing to prune", async () => {
    const [, trees] = made();

    await trees.prune("run-1");

    expect(await trees.of("run-1")).toEqual([]);
  });
}
