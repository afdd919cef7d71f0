/* oxlint-disable oxc/no-barrel-file -- where `jsxImportSource smithers-orchestrator` leads */
export { Fragment, jsx, jsxDEV, jsxs, type JSX } from "@smooth/workflow/jsx-runtime";
