/** React contexts of a frame: the ctx source, and the loops around a component. */
import { React } from "./react.ts";
import { SmoothError } from "@smooth/protocol/errors";
import type { LoopChain } from "../graph/identity.ts";
import type { ScopeState } from "../run/state.ts";
import { frameContext, type FrameSource, type WorkflowContext } from "./ctx.ts";

export const FrameScope = React.createContext<FrameSource | null>(null);
export const LoopScope = React.createContext<LoopChain>([]);

/** The ctx of this frame, as seen from inside the loops around the calling component. */
export function useWorkflowContext(): WorkflowContext {
  const source = React.useContext(FrameScope);
  const chain = React.useContext(LoopScope);
  if (!source) throw new SmoothError("WORKFLOW_RENDER_FAILED", "useCtx works only inside a workflow's components");
  return frameContext(source, chain.length > 0 ? chain : undefined);
}

export interface FailureScope {
  /** Goes onto the host element, so that the engine can say which scope this component is. */
  readonly handle: object;
  /** What failed in it; absent while nothing did. */
  readonly failed: ScopeState | undefined;
}

/** For the components that handle failures. */
export function useFailureScope(): FailureScope {
  const source = React.useContext(FrameScope);
  const [handle] = React.useState<object>(() => ({}));
  if (!source) throw new SmoothError("WORKFLOW_RENDER_FAILED", "this element works only inside a <Workflow>");
  return { handle, failed: source.scopeOf(handle) };
}
