"use client";
import { ROLE_SCOPES, type Scope } from "@smooth/protocol/gateway";
import { useQuery } from "@tanstack/react-query";
import { useTRPC } from "~/trpc/client.tsx";

/** What this person may do here: what they may not is not offered. The API refuses it anyway. */
export function useMay(): (scope: Scope) => boolean {
  const trpc = useTRPC();
  const { data } = useQuery(trpc.me.get.queryOptions());
  const role = data?.role;
  return (scope) => role !== null && role !== undefined && (ROLE_SCOPES[role] as readonly Scope[]).includes(scope);
}
