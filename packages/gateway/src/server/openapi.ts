import { z } from "zod";
import { ERRORS, type ErrorCode } from "@smooth/protocol/errors";
import { GATEWAY } from "@smooth/protocol/gateway";
import { ErrorBody, RPC_PATH } from "../wire.ts";

/** OpenAPI 3.1 of the method table. Nothing is written here that the table does not say. */

/** What the door itself may answer, before any method. */
const DOOR: readonly ErrorCode[] = [
  "INVALID_INPUT",
  "UNAUTHENTICATED",
  "POLICY_DENIED",
  "PAYLOAD_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
  "RATE_LIMITED",
];

export function openApi(version: string): Record<string, unknown> {
  return {
    openapi: "3.1.0",
    info: { title: "Smooth gateway", version },
    security: [{ bearer: [] }, { cookie: [] }],
    paths: Object.fromEntries(Object.keys(GATEWAY).map((name) => [`${RPC_PATH}/${name}`, path(name)])),
    components: {
      schemas: { Error: schema(ErrorBody, "output") },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        cookie: { type: "apiKey", in: "cookie", name: "__Host-smooth" },
      },
    },
  };
}

function path(name: string): Record<string, unknown> {
  const row = GATEWAY[name as keyof typeof GATEWAY];
  const mediaType = row.stream ? "text/event-stream" : "application/json";
  return {
    post: {
      operationId: name,
      summary: row.about,
      "x-scope": row.scope,
      requestBody: { required: true, content: { "application/json": { schema: schema(row.input, "input") } } },
      responses: {
        200: { description: "The answer.", content: { [mediaType]: { schema: schema(row.output, "output") } } },
        ...refusals([...DOOR, ...row.errors]),
      },
    },
  };
}

const schema = (type: z.ZodType, io: "input" | "output"): unknown =>
  z.toJSONSchema(type, { io, unrepresentable: "any" });

function refusals(codes: readonly ErrorCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(codes), (code) => ERRORS[code].http);
  const content = { "application/json": { schema: { $ref: "#/components/schemas/Error" } } };
  return Object.fromEntries(
    [...byStatus].map(([status, members]) => [status, { description: members.join(", "), content }]),
  );
}
