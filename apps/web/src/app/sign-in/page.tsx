import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mintSignInToken } from "@smooth/api/sign-in";
import { Button, ErrorNote, INPUT } from "@smooth/ui/controls";
import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { AuthError } from "next-auth";
import type { ReactNode } from "react";
import { z } from "zod";
import { signIn } from "~/auth.ts";
import { deps } from "~/deps.ts";
import { env } from "~/env.ts";

export const metadata: Metadata = { title: "Sign in" };

interface PageProps {
  readonly searchParams: Promise<{ token?: string; error?: string; sent?: string }>;
}

const ERRORS: Readonly<Record<string, string>> = {
  link: "This link was used already or has expired. Ask for a new one below, or restart to print one.",
  email: "That is no e-mail address. Nothing was sent.",
  slow: "Too many links were asked for. Try again in a minute.",
};

/** Opening the link uses nothing up (a preview bot opens it too); the button does. */
export default async function SignInPage({ searchParams }: PageProps): Promise<ReactNode> {
  const { token, error, sent } = await searchParams;
  return (
    <main className="mx-auto flex min-h-dvh max-w-sm flex-col justify-center gap-6 px-5">
      <header>
        <h1 className="text-2xl font-semibold tracking-tight">Smooth</h1>
        <p className="mt-1 text-soft">Agents at work, you in charge.</p>
      </header>
      {error && <ErrorNote>{ERRORS[error] ?? ERRORS["link"]}</ErrorNote>}
      {token && !error ? <TokenForm token={token} /> : <MailForm sent={sent === "1"} />}
    </main>
  );
}

function TokenForm({ token }: { readonly token: string }): ReactNode {
  return (
    <form action={enter}>
      <input type="hidden" name="token" value={token} />
      <Button type="submit" tone="accent" className="w-full">
        Sign in
      </Button>
    </form>
  );
}

function MailForm({ sent }: { readonly sent: boolean }): ReactNode {
  return (
    <form action={sendLink} className="space-y-3">
      <label htmlFor="email" className="block text-sm font-medium">
        Your e-mail address
      </label>
      <input id="email" name="email" type="email" required autoComplete="email" className={INPUT} />
      <Button type="submit" tone="accent" className="w-full">
        Send me a sign-in link
      </Button>
      {sent && (
        <p role="status" className="text-sm text-soft">
          If this address belongs to a member, a link is in the outbox of this machine: the folder “outbox” beside the
          database.
        </p>
      )}
    </form>
  );
}

async function enter(form: FormData): Promise<void> {
  "use server";
  try {
    await signIn("credentials", { token: form.get("token"), redirectTo: "/" });
  } catch (error) {
    if (error instanceof AuthError) redirect("/sign-in?error=link");
    throw error;
  }
}

const HOUR_MS = 3_600_000;

/** One bucket for everybody: strangers cannot fill the outbox, and learn nothing about an address. */
function mayAsk({ rateLimits }: Awaited<ReturnType<typeof deps>>): boolean {
  try {
    rateLimits.spend("sign-in", { burst: 20, perMinute: 20 });
    return true;
  } catch {
    return false;
  }
}

/** The answer is the same whether the address is known or not. */
async function sendLink(form: FormData): Promise<void> {
  "use server";
  const email = z.email().max(200).safeParse(form.get("email"));
  if (!email.success) redirect("/sign-in?error=email");
  const house = await deps();
  if (!mayAsk(house)) redirect("/sign-in?error=slow");
  const user = await house.db.user.findUnique({ where: { email: email.data.toLowerCase() } });
  if (user) {
    const token = await mintSignInToken(house, { email: user.email, ttlMs: HOUR_MS });
    const outbox = join(env().DATA_DIR, "outbox");
    await mkdir(outbox, { recursive: true, mode: 0o700 });
    const letter = { to: user.email, url: `${house.origin}/sign-in?token=${token}` };
    await writeFile(join(outbox, `${house.ids.next("mail")}.json`), JSON.stringify(letter), { mode: 0o600 });
  }
  redirect("/sign-in?sent=1");
}
