import { SmoothError } from "@smooth/protocol/errors";
import type { ViewerAssertion } from "@smooth/protocol/host-sync";
import type { HostId } from "@smooth/protocol/ids";
import { importJWK, SignJWT } from "jose";
import { audit } from "./audit.ts";
import type { MemberContext } from "./context.ts";
import { findHost, hostViewOf } from "./hosts.ts";
import { newSecret } from "./keys.ts";

/** The dashboard vouches for a member at a host's live session; what the role may do there, the host decides (promise P5). */

const TTL_S = 60;

export interface LiveLink {
  /** Opens the live session signed in as this member: single use, secret in the fragment. */
  readonly url: string;
  readonly expiresAtMs: number;
}

export async function mintLiveLink(ctx: MemberContext, hostId: HostId): Promise<LiveLink> {
  const { db, org, user, role, clock, signingKey } = ctx;
  const { tunnel } = hostViewOf(await findHost(db, org.id, hostId), ctx);
  if (tunnel.kind !== "serving") {
    throw new SmoothError("HOST_OFFLINE", "this host serves no tunnel now; start it first", { details: { hostId } });
  }
  const iat = Math.floor(clock.now() / 1_000);
  const exp = iat + TTL_S;
  const { id: sub, name } = user;
  const claims: ViewerAssertion = { iss: "smooth-web", aud: hostId, sub, name, role, jti: newSecret(16), iat, exp };
  const jws = await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "EdDSA" })
    .sign(await importJWK(signingKey, "EdDSA"));
  const fact = { orgId: org.id, atMs: clock.now(), actor: user.email, action: "tunnel.link", subject: hostId };
  await db.$transaction((tx) => audit(tx, { ...fact, details: { role } }));
  return { url: new URL(`/_session#assertion=${jws}`, tunnel.url).href, expiresAtMs: exp * 1_000 };
}
