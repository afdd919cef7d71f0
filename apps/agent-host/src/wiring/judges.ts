import { agentOfSlot } from "@smooth/agents/slot-agent";
import type { EngineDeps } from "@smooth/engine/run";
import type { Models } from "./models.ts";

/** A scorer that names a model is judged by that model of the provider behind `smooth-judge`. */
export function judgesOf(models: Models): NonNullable<EngineDeps["judges"]> {
  return ({ model, temperature, maxTokens }) =>
    agentOfSlot(
      "smooth-judge",
      async (slot) => {
        await models.refresh();
        return { kind: "targets", targets: models.targets(slot), skipped: [] };
      },
      {
        model,
        ...(temperature !== undefined && { temperature }),
        ...(maxTokens !== undefined && { maxOutputTokens: maxTokens }),
      },
    );
}
