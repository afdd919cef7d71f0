import process from "node:process";
import type { AgentLike } from "@smooth/engine/task";
import type { Slot } from "@smooth/protocol/providers";
import { loadProviders, providersPath } from "../providers/providers-file.node.ts";
import { routeSlot } from "../providers/resolve.ts";
import { agentOfSlot, type SlotSettings } from "./slot-agent.ts";

/** `<Task agent={slotAgent("smooth-reviewing", { instructions })}>`: this machine's providers.json and environment decide, at
 *  each answer, which provider and model that is. */
export const slotAgent = (slot: Slot, settings: SlotSettings = {}): AgentLike =>
  agentOfSlot(
    slot,
    async () => routeSlot(slot, { file: await loadProviders(providersPath(process.env)), env: process.env }),
    settings,
  );
