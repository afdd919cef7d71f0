import { redirect } from "next/navigation";
import type { ReactNode } from "react";
import { signOut } from "~/auth.ts";
import { chosenTheme } from "~/theme.ts";
import { apiContext, Hydrated, queryClient, trpc } from "~/trpc/server.tsx";
import { Frame } from "~/views/frame.tsx";

export default async function HouseLayout({ children }: { readonly children: ReactNode }): Promise<ReactNode> {
  const { user, org } = await apiContext();
  if (!user) redirect("/sign-in");
  const client = queryClient();
  await Promise.all([
    client.prefetchQuery(trpc.me.get.queryOptions()),
    ...(org ? [client.prefetchQuery(trpc.home.summary.queryOptions())] : []),
  ]);
  const leave = async (): Promise<void> => {
    "use server";
    await signOut({ redirectTo: "/sign-in" });
  };
  return (
    <Hydrated>
      <Frame who={user.email} theme={await chosenTheme()} signOut={leave}>
        {children}
      </Frame>
    </Hydrated>
  );
}
