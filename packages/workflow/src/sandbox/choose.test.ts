import { expect, test } from "vitest";
import { choose, type Candidate } from "./choose.ts";

const candidate = (runtime: Candidate["runtime"], level: Candidate["level"]): Candidate => ({
  runtime,
  level,
  reasons: ["no bwrap"],
  fixes: ["apt-get install bubblewrap"],
  lacks: [],
});
const HOST = [
  candidate("process", "process"),
  candidate("bubblewrap", "namespace"),
  candidate("microvm", "emulated-vm"),
];
const asked = (runtime: Candidate["runtime"] | null = null) => ({ runtime, memoryMb: null, volumes: [] });

test("C1: the strongest is taken, and a named one only as named", () => {
  expect(choose(asked(), HOST, "process")).toMatchObject({ kind: "chosen", runtime: "microvm" });
  expect(choose(asked("bubblewrap"), HOST, "process")).toMatchObject({ kind: "chosen", runtime: "bubblewrap" });
  expect(choose(asked("gvisor"), HOST, "process")).toMatchObject({ kind: "refused" });
});

test("C1: one that does not work here is refused with its fix, though another would work", () => {
  const broken = [candidate("bubblewrap", null), candidate("microvm", "emulated-vm")];
  expect(choose(asked("bubblewrap"), broken, "process")).toMatchObject({
    kind: "refused",
    why: "bubblewrap does not work here: no bwrap; to fix it: apt-get install bubblewrap",
  });
});

test("C2: nothing weaker than the host's minimum, whoever asks", () => {
  expect(choose(asked("bubblewrap"), HOST, "emulated-vm")).toMatchObject({
    kind: "refused",
    why: expect.stringContaining('{ sandboxes: { minIsolation: "namespace" } }'),
  });
  expect(choose(asked(), HOST, "hardware-vm")).toMatchObject({ kind: "refused" });
});

test("C3: a limit that it cannot keep is refused", () => {
  const lacks = [{ capability: "memory-sum", reason: "no cgroup" }];
  const weak = [{ ...candidate("bubblewrap", "namespace"), lacks }];
  expect(choose({ ...asked(), memoryMb: 64 }, weak, "namespace")).toMatchObject({
    kind: "refused",
    why: expect.stringContaining("no cgroup"),
  });
  expect(choose(asked(), weak, "namespace")).toMatchObject({ kind: "chosen" });
});
