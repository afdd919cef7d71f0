import { redeemSignInToken } from "@smooth/api/sign-in";
import NextAuth, { type NextAuthResult } from "next-auth";
import Credentials from "next-auth/providers/credentials";
import { z } from "zod";
import { deps } from "./deps.ts";

/** Sessions are JWTs that say who and since when; whether that still holds is asked of the database on every request
 *  (createContext). The only way in is a one-time token: printed at start, or sent by the sign-in page. */

const Token = z.object({ token: z.string().min(10).max(200) });

const result: NextAuthResult = NextAuth({
  session: { strategy: "jwt", maxAge: 30 * 86_400 },
  trustHost: true,
  pages: { signIn: "/sign-in", error: "/sign-in" },
  logger: { error: () => undefined },
  providers: [
    Credentials({
      credentials: { token: {} },
      async authorize(raw) {
        const parsed = Token.safeParse(raw);
        if (!parsed.success) return null;
        const redeemed = await redeemSignInToken(await deps(), parsed.data.token);
        return redeemed.kind === "signed-in" ? { id: redeemed.userId } : null;
      },
    }),
  ],
  callbacks: {
    async jwt({ token, user }) {
      if (!user?.id) return token;
      const { clock } = await deps();
      return { ...token, userId: user.id, sinceMs: clock.now() };
    },
    session: ({ session, token }) => ({ ...session, claim: { userId: token["userId"], sinceMs: token["sinceMs"] } }),
  },
});

export const handlers: NextAuthResult["handlers"] = result.handlers;
export const auth: NextAuthResult["auth"] = result.auth;
export const signIn: NextAuthResult["signIn"] = result.signIn;
export const signOut: NextAuthResult["signOut"] = result.signOut;

const Claim = z.object({ claim: z.object({ userId: z.string(), sinceMs: z.number() }) });

/** Who the cookie says this is; null when nobody. */
export async function sessionClaim(): Promise<{ userId: string; issuedAtMs: number } | null> {
  const parsed = Claim.safeParse(await auth());
  return parsed.success ? { userId: parsed.data.claim.userId, issuedAtMs: parsed.data.claim.sinceMs } : null;
}
