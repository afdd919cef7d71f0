import {
  asError,
  openApiOperation,
  openApiOperations,
  type OpenApiOperation,
  type OpenApiSpec,
  type OpenApiToolsOptions,
} from "../openapi/openapi-tools.node.ts";
import { defineTool, type TaskTool } from "./define-tool.node.ts";

/** Tools from an OpenAPI document for the agents of tasks: logged with their task, its idempotency key sent along. A call that fails
 *  answers `{ error: true, message, status }`, so that the agent reads it and goes on. */

/** By tool name. Throws OPENAPI_SPEC_LOAD_FAILED, OPENAPI_OPERATION_NOT_FOUND. */
export async function createOpenApiTools(
  spec: OpenApiSpec,
  options: OpenApiToolsOptions = {},
): Promise<Record<string, TaskTool>> {
  const operations = await openApiOperations(spec, options);
  return Object.fromEntries(operations.map((operation) => [operation.name, taskTool(operation)]));
}

export const createOpenApiTool = async (
  spec: OpenApiSpec,
  operationId: string,
  options: OpenApiToolsOptions = {},
): Promise<TaskTool> => taskTool(await openApiOperation(spec, operationId, options));

const taskTool = (operation: OpenApiOperation): TaskTool =>
  defineTool({
    ...operation,
    execute: async (args, call): Promise<unknown> => {
      const answer = await operation.call(args, call);
      return answer.kind === "ok" ? answer.value : asError(answer);
    },
  });
