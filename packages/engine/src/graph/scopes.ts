/** Reads the elements that stop failures: TryCatchFinally and Saga. Both become a scope with up to three parts.
 *  X3. Compensations stand in the reverse order of the completed steps, and only those are there. */
import { SmoothError } from "@smooth/protocol/errors";
import type { HostElement, HostNode } from "../render/renderer.ts";
import { resolveRef, stateKey } from "./identity.ts";
import type { PlanGroup, PlanNode, PlanScope, ScopeHandler, ScopePart, ScopePartName } from "./plan.ts";
import { aString, badProp, HOST, oneOf, onlyKnown, optional, strings } from "./props.ts";
import { idOrPlace, sequence, type Place, type Walk } from "./walk.ts";

export function readTry(element: HostElement, place: Place, walk: Walk): PlanScope {
  onlyKnown(element, ["id", "catchErrors", "catches", "handle"]);
  const handler: ScopeHandler = element.props["catches"]
    ? { kind: "catch", codes: optional(element, "catchErrors", strings) ?? null, rethrows: false }
    : { kind: "none" };
  const hasFinally = partOf(element, HOST.finally) !== undefined;
  const scope = openScope(element, { ...place, type: "try", handler, hasFinally }, walk);
  const read = (tag: string, part: ScopePartName): PlanGroup | null => {
    const shown = partOf(element, tag);
    return shown ? sequence(walk.into(shown.children, scope.place(part))) : null;
  };
  return {
    ...scope.node,
    body: read(HOST.body, "body") ?? sequence([]),
    catch: read(HOST.catch, "catch"),
    finally: read(HOST.finally, "finally"),
  };
}

const ON_FAILURE = oneOf("compensate", "compensate-and-fail", "fail");

export function readSaga(element: HostElement, place: Place, walk: Walk): PlanScope {
  onlyKnown(element, ["id", "onFailure", "handle"]);
  const onFailure = optional(element, "onFailure", ON_FAILURE) ?? "compensate";
  const handler: ScopeHandler =
    onFailure === "fail"
      ? { kind: "none" }
      : { kind: "catch", codes: null, rethrows: onFailure === "compensate-and-fail" };
  const scope = openScope(element, { ...place, type: "saga", handler, hasFinally: false }, walk);
  const compensations: PlanNode[] = [];
  const steps = new Set<string>();
  const body = walk.into(element.children, {
    ...scope.place("body"),
    saga: { steps, compensations, place: scope.place("catch") },
  });
  return { ...scope.node, body: sequence(body), catch: sequence(compensations.toReversed()), finally: null }; // X3
}

/** Its compensation is rendered beside its action once there is something to undo, and runs as part of the saga's handler. */
export function readSagaStep(element: HostElement, place: Place, walk: Walk): PlanGroup {
  onlyKnown(element, ["id", "label"]);
  const stepId = optional(element, "id", aString);
  if (stepId === undefined) throw badProp(element, "id", "a non-empty string");
  const { saga, ...inner } = place;
  if (!saga) throw new SmoothError("WORKFLOW_RENDER_FAILED", `saga step ${stepId} stands outside a <Saga>`);
  if (saga.steps.has(stepId))
    throw new SmoothError("DUPLICATE_ID", `two steps of one saga have the id ${JSON.stringify(stepId)}`, {
      details: { id: stepId },
    }); // X1
  saga.steps.add(stepId);
  const undo = partOf(element, HOST.compensation);
  if (undo)
    saga.compensations.push(sequence(walk.into(undo.children, { ...saga.place, path: `${place.path}.compensation` })));
  const action = element.children.filter((child) => child !== undo);
  return { ...sequence(walk.into(action, inner)), stepId };
}

interface Opening extends Place {
  readonly type: PlanScope["type"];
  readonly handler: ScopeHandler;
  readonly hasFinally: boolean;
}

function openScope(element: HostElement, { type, handler, hasFinally, ...place }: Opening, walk: Walk) {
  const { chain, within, worktree, aspects, path } = place;
  const id = idOrPlace(element, place, walk);
  const scopeId = stateKey(resolveRef(id, chain, walk.loops));
  const handle = element.props["handle"];
  if (typeof handle === "object" && handle !== null) walk.handles.set(handle, scopeId);
  const part = (name: ScopePartName): ScopePart => ({ scopeId, part: name, handler, hasFinally, outer: within });
  return {
    node: { kind: "scope", type, id, scopeId, within, handler } as const,
    place: (name: ScopePartName): Place => ({ chain, within: part(name), worktree, aspects, path: `${path}.${name}` }),
  };
}

const partOf = ({ children }: HostElement, tag: string): HostElement | undefined =>
  children.find((child: HostNode): child is HostElement => child.kind === "element" && child.tag === tag);
