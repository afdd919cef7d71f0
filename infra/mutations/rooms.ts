/** Where sources and their tests are. */
export const PLATFORM = "packages/platform/src";
export const TOOLS = "packages/tools/src";
export const ENGINE = "packages/engine/src";
export const WORKFLOW = "packages/workflow/src";
export const RULES = "packages/workflow/src/rules";
export const VCS = "packages/vcs/src";
