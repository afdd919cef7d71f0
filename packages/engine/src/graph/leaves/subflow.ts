/** Reads a Subflow element into a leaf of the plan: a task whose body is another run. */
import type { JsonValue } from "../../outputs/json.ts";
import type { HostElement } from "../../render/renderer.ts";
import { isWorkflow } from "../../render/workflow.ts";
import type { TaskLeaf } from "../plan.ts";
import { aDuration, aString, badProp, onlyKnown, optional } from "../props.ts";
import { aliases, COMMON_PROPS, edgesOf, readCommon, type DraftLeaf, type LeafScope } from "./common.ts";
import { readCache, readRetry } from "./task.ts";

const SUBFLOW = [...COMMON_PROPS, "workflow", "input", "outputFrom", "timeoutMs", "retries", "retryPolicy", "cache"];

export function readSubflow(element: HostElement, scope: LeafScope): DraftLeaf {
  onlyKnown(element, SUBFLOW);
  const { workflow, input = {} } = element.props;
  if (!isWorkflow(workflow)) throw badProp(element, "workflow", "a workflow, as smithers(…) makes it");
  const retry = readRetry(element);
  const leaf: TaskLeaf = {
    ...readCommon(element, scope),
    type: "task",
    needsApproval: false,
    body: {
      mode: "subflow",
      workflow,
      input: input as JsonValue,
      outputFrom: optional(element, "outputFrom", aString) ?? null,
    },
    scorers: {},
    memory: null,
    // Its own tasks try again already: a whole run is only repeated when that is asked for.
    retry: element.props["retries"] === undefined ? { ...retry, retries: 0 } : retry,
    timeoutMs: optional(element, "timeoutMs", aDuration) ?? null,
    heartbeatTimeoutMs: null,
    deps: [],
    cache: readCache(element),
    allowTools: null,
    hijack: false,
    onHijackExit: "reopen",
  };
  return { leaf, edges: edgesOf(element, aliases(element)) };
}
