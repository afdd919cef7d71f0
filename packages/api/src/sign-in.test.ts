import { openMemoryDb } from "@smooth/db/testing";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { createContext } from "./context.ts";
import { createCaller } from "./router.ts";
import { ensureFirstOwner, mintSignInToken, redeemSignInToken, sessionStillValid } from "./sign-in.ts";
import { openWorld, type World } from "./testing/world.ts";

let memory: Awaited<ReturnType<typeof openMemoryDb>>;
let world: World;
const email = "ann@example.test";
const owner = () => ensureFirstOwner(world.deps, { email: "Ann@Example.test", orgName: "Ann's House" });

beforeAll(async () => void (memory = await openMemoryDb()));
afterAll(() => memory[Symbol.asyncDispose]());
beforeEach(async () => {
  await memory.db.org.deleteMany();
  await memory.db.user.deleteMany();
  world = await openWorld(memory.db);
});

test("the first owner is made once, whoever asks again and however often at once", async () => {
  const [first, again] = await Promise.all([owner(), owner()]);
  const other = await ensureFirstOwner(world.deps, { email: "bob@example.test", orgName: "Bob" });

  expect([again, other]).toEqual([first, first]);
  expect(first.email).toBe(email);
  expect(await memory.db.org.findMany()).toMatchObject([{ slug: "ann-s-house" }]);
});

test("S1: a token signs in once, also when two redeem it at the same moment", async () => {
  const { userId } = await owner();
  const token = await mintSignInToken(world.deps, { email, ttlMs: 1_000 });

  const both = await Promise.all([redeemSignInToken(world.deps, token), redeemSignInToken(world.deps, token)]);

  expect(both.map(({ kind }) => kind).toSorted()).toEqual(["refused", "signed-in"]);
  expect(both).toContainEqual({ kind: "signed-in", userId });
});

test("S1: at rest there is only the hash", async () => {
  const token = await mintSignInToken(world.deps, { email, ttlMs: 1_000 });

  expect(JSON.stringify(await memory.db.verificationToken.findMany())).not.toContain(token);
});

test("S2, S3: late, invented and strangers' tokens are refused alike", async () => {
  await owner();
  const late = await mintSignInToken(world.deps, { email, ttlMs: 1_000 });
  const stranger = await mintSignInToken(world.deps, { email: "eve@example.test", ttlMs: 10_000 });
  await world.clock.advance(1_000);

  for (const token of [late, stranger, "invented", ""]) {
    expect(await redeemSignInToken(world.deps, token)).toEqual({ kind: "refused" });
  }
});

test("signing out everywhere ends sessions that are already open", async () => {
  const { userId } = await owner();
  const session = { userId, issuedAtMs: world.clock.now() };
  expect(await sessionStillValid(world.deps, session)).toBe(true);

  await createCaller(await createContext(world.deps, session)).me.signOutEverywhere();

  expect(await sessionStillValid(world.deps, session)).toBe(false);
  expect((await createContext(world.deps, session)).user).toBeNull();
  expect(await sessionStillValid(world.deps, { userId: "user-999999", issuedAtMs: 9e15 })).toBe(false);
});

test("a person without an org is told so, and may still ask who they are", async () => {
  await memory.db.user.create({ data: { id: "user-1", email } });
  const caller = createCaller(await createContext(world.deps, { userId: "user-1", issuedAtMs: 1 }));

  expect(await caller.me.get()).toMatchObject({ user: { email }, org: null, orgs: [] });
  await expect(caller.runs.list({})).rejects.toMatchObject({ cause: { code: "POLICY_DENIED" } });
});
