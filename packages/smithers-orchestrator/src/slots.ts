/* oxlint-disable oxc/no-barrel-file -- where authors find agents that name a slot instead of a model */
export { slotAgent } from "@smooth/agents/slots";
export type { SlotSettings } from "@smooth/agents/slot-agent";
