"use client";
import type { Decide } from "@smooth/ui/ask-card";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTRPC } from "~/trpc/client.tsx";

/** Sends a decision to the host; what the host made of it arrives with the next change. */
export function useDecide(): Decide {
  const trpc = useTRPC();
  const client = useQueryClient();
  const { mutateAsync } = useMutation(
    trpc.inbox.decide.mutationOptions({ onSettled: () => client.invalidateQueries() }),
  );
  return async (ask, decision) => void (await mutateAsync({ askId: ask.id, version: ask.version, decision }));
}
