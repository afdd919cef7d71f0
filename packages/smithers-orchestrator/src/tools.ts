/* oxlint-disable oxc/no-barrel-file -- where authors find the tools for the agents of their tasks */
export { bash, edit, grep, read, tools, write } from "@smooth/tools/task/built-in";
export { defineTool, type TaskTool, type TaskToolDefinition } from "@smooth/tools/task/define-tool";
export type { TaskCall } from "@smooth/tools/task/scope";
