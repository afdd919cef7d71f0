import "./globals.css";
import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { chosenTheme } from "~/theme.ts";
import { ApiProvider } from "~/trpc/client.tsx";

export const metadata: Metadata = { title: { default: "Smooth", template: "%s · Smooth" } };
export const viewport: Viewport = { width: "device-width", initialScale: 1, viewportFit: "cover" };
export const dynamic = "force-dynamic";

export default async function RootLayout({ children }: { readonly children: ReactNode }): Promise<ReactNode> {
  return (
    <html lang="en" data-theme={await chosenTheme()} suppressHydrationWarning>
      <body>
        <ApiProvider>{children}</ApiProvider>
      </body>
    </html>
  );
}
