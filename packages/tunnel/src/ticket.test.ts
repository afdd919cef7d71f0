import { TicketClaims } from "@smooth/protocol/thp";
import { base64url, importJWK, SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { createHostKey, isProof, isResumeMac, prove, publicHalf, resumeMac, thumbprint } from "./host-key.ts";
import { mintTicket, verifyTicket } from "./ticket.ts";

const NOW_MS = 1_800_000_000_000;
const saas = await createHostKey();
const host = await createHostKey();
const jkt = await thumbprint(host);
const expectations = { key: publicHalf(saas), baseDomain: "th.smoo.ai", nowMs: NOW_MS };

const claims = {
  iss: "https://smooth.example",
  aud: "th.smoo.ai",
  sub: "host-00000001",
  org: "org-1",
  slug: "scratch-abcd1234",
  jti: "ticket-0001",
  iat: NOW_MS / 1000,
  exp: NOW_MS / 1000 + 60,
  cnf: { jkt },
};

describe("a ticket", () => {
  test("minted by the dashboard is valid at the rendezvous, with the default limits", async () => {
    const verdict = await verifyTicket(await mintTicket(claims, saas), expectations);
    expect(verdict).toEqual({ kind: "valid", claims: TicketClaims.parse(claims) });
  });

  test("cannot be minted for longer than 120 s", async () => {
    await expect(mintTicket({ ...claims, exp: claims.iat + 121 }, saas)).rejects.toThrow("at most 120 s");
  });

  test("is refused when late, for another rendezvous, by another key, of another type or algorithm, or broken", async () => {
    const sign = async (payload: object, header: object) =>
      new SignJWT({ ...payload }).setProtectedHeader({ alg: "EdDSA", ...header }).sign(await importJWK(saas, "EdDSA"));
    const good = await mintTicket(claims, saas);
    const none = `${base64url.encode('{"alg":"none","typ":"th-connect+jwt"}')}.${good.split(".")[1]}.`;
    const bad = [
      await mintTicket({ ...claims, iat: claims.iat - 100, exp: claims.iat - 10 }, saas),
      await mintTicket({ ...claims, aud: "th.example" }, saas),
      await mintTicket(claims, await createHostKey()),
      await sign(claims, { typ: "JWT" }),
      await sign({ ...claims, exp: claims.iat + 3600 }, { typ: "th-connect+jwt" }),
      await sign({ ...claims, slug: "Not A Slug" }, { typ: "th-connect+jwt" }),
      none,
      `${good.slice(0, -4)}AAAA`,
      "",
      "a.b.c",
    ];
    const verdicts = await Promise.all(bad.map((ticket) => verifyTicket(ticket, expectations)));
    expect(verdicts.map(({ kind }) => kind)).toEqual(bad.map(() => "refused"));
  });
});

describe("P1: a proof", () => {
  const parsed = TicketClaims.parse(claims);
  const nonce = base64url.encode(new Uint8Array(32));

  test("fits its key, nonce and ticket, and nothing else", async () => {
    const key = publicHalf(host);
    const sig = await prove(host, nonce, parsed);
    const other = await createHostKey();

    expect(await isProof({ key, sig, nonce }, parsed)).toBe(true);
    expect(await isProof({ key, sig, nonce: base64url.encode(new Uint8Array(32).fill(1)) }, parsed)).toBe(false);
    expect(await isProof({ key, sig, nonce }, { ...parsed, jti: "ticket-0002" })).toBe(false);
    expect(await isProof({ key, sig: await prove(other, nonce, parsed), nonce }, parsed)).toBe(false);
    expect(await isProof({ key: publicHalf(other), sig: await prove(other, nonce, parsed), nonce }, parsed)).toBe(
      false,
    );
    expect(await isProof({ key: { ...key, x: "AAAA" }, sig: "AAAA", nonce }, parsed)).toBe(false);
  });

  test("of a resumed line needs the line's own key", async () => {
    const mine = base64url.encode(new Uint8Array(32).fill(2));
    const mac = await resumeMac(mine, nonce);
    expect(await isResumeMac(mac, mine, nonce)).toBe(true);
    expect(await isResumeMac(mac, base64url.encode(new Uint8Array(32)), nonce)).toBe(false);
    expect(await isResumeMac("!", mine, nonce)).toBe(false);
  });
});
