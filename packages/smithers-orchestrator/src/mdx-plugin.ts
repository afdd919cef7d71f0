/* oxlint-disable oxc/no-barrel-file -- where preload files find what makes `.mdx` importable */
/** `mdxPlugin()` in a preload file: from then on Node imports `.mdx` prompts and workflow files. Workflows that `loadWorkflow`
 *  loads need no preload. */
export { hookOnce as mdxPlugin } from "@smooth/workflow/load-workflow";
