/** What an agent is to answer, as JSON Schema: what the output's schema reads, not what it makes of that. */
import { z } from "zod";

export const answerSchema = (schema: z.ZodType) =>
  z.toJSONSchema(schema, { unrepresentable: "any", io: "input", override: closed });

/** As an object is read it is open to anything; an agent is told that there is no more to say, and strict modes want it so. */
function closed({
  zodSchema,
  jsonSchema,
}: {
  readonly zodSchema: z.core.$ZodTypes;
  readonly jsonSchema: object;
}): void {
  const { def } = zodSchema._zod;
  if (def.type === "object" && def.catchall === undefined) Object.assign(jsonSchema, { additionalProperties: false });
}
