"use client";
import type { Decide } from "@smooth/ui/ask-card";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTRPC } from "~/trpc/client.tsx";
import { useMay } from "./use-may.ts";

/** Sends a decision to the host; what the host made of it arrives with the next change. Undefined: this person only looks. */
export function useDecide(): Decide | undefined {
  const trpc = useTRPC();
  const client = useQueryClient();
  const may = useMay();
  const { mutateAsync } = useMutation(
    trpc.inbox.decide.mutationOptions({ onSettled: () => client.invalidateQueries() }),
  );
  if (!may("ask:decide")) return undefined;
  return async (ask, decision) => void (await mutateAsync({ askId: ask.id, version: ask.version, decision }));
}
