/* oxlint-disable oxc/no-barrel-file -- where authors find tools made from OpenAPI documents */
export { createOpenApiTool, createOpenApiTools } from "@smooth/tools/task/openapi";
export {
  listOperations,
  type ListedOperation,
  type OpenApiCall,
  type OpenApiSpec,
  type OpenApiToolsOptions,
} from "@smooth/tools/openapi";
export type { OpenApiAuth } from "@smooth/tools/openapi/request";
