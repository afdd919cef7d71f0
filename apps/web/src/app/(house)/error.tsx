"use client";
import { Button, ErrorNote } from "@smooth/ui/controls";
import type { ReactNode } from "react";

/** What failed, and what next; the details are in the server's log under the digest. */
export default function PageError({
  error,
  reset,
}: {
  error: Error & { digest?: string };
  reset: () => void;
}): ReactNode {
  return (
    <div className="space-y-4">
      <h1 className="text-xl font-semibold tracking-tight">This page did not load</h1>
      <ErrorNote>
        Something went wrong on our side{error.digest && ` (${error.digest})`}. Nothing was changed.
      </ErrorNote>
      <Button onClick={reset}>Try again</Button>
    </div>
  );
}
