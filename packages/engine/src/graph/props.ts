/** Reads the props of host elements: what is not implemented is refused by name, never ignored. */
import { SmoothError } from "@smooth/protocol/errors";
import type { JsonValue } from "../outputs/json.ts";
import type { HostElement } from "../render/renderer.ts";

export const HOST = {
  workflow: "smithers:workflow",
  sequence: "smithers:sequence",
  parallel: "smithers:parallel",
  branch: "smithers:branch",
  loop: "smithers:loop",
  task: "smithers:task",
  approval: "smithers:approval",
  mergeQueue: "smithers:merge-queue",
  tryCatchFinally: "smithers:try-catch-finally",
  continueAsNew: "smithers:continue-as-new",
  subflow: "smithers:subflow",
  sandbox: "smithers:sandbox",
  aspects: "smithers:aspects",
  worktree: "smithers:worktree",
  saga: "smithers:saga",
  sagaStep: "smithers:saga-step",
  /** Parts of a scope; made by its component, never by authors. */
  body: "smithers:body",
  catch: "smithers:catch",
  finally: "smithers:finally",
  compensation: "smithers:compensation",
  humanTask: "smithers:human-task",
  timer: "smithers:timer",
  waitForEvent: "smithers:wait-for-event",
} as const;

export const componentName = (tag: string): string =>
  tag.replace("smithers:", "-").replace(/-(\w)/g, (_, first: string) => first.toUpperCase());

/** As an author finds it in the file. */
export function elementName(element: HostElement): string {
  const id = element.props["id"];
  return `<${componentName(element.tag)}${typeof id === "string" ? ` id=${JSON.stringify(id)}` : ""}>`;
}

/** Throws PROP_UNSUPPORTED for the first prop that is set and not in `known`. */
export function onlyKnown(element: HostElement, known: readonly string[]): void {
  for (const name of Object.keys(element.props)) {
    if (element.props[name] === undefined || name === "children" || known.includes(name)) continue;
    throw new SmoothError(
      "PROP_UNSUPPORTED",
      `${elementName(element)} has prop \`${name}\`, which this engine does not implement; remove it`,
      {
        details: { element: componentName(element.tag), prop: name },
      },
    );
  }
}

/** Throws PROP_UNSUPPORTED when a prop is set that cannot mean anything there. */
export function refuse(element: HostElement, name: string, because: string): void {
  if (element.props[name] === undefined) return;
  throw new SmoothError("PROP_UNSUPPORTED", `${elementName(element)} has prop \`${name}\`: ${because}; remove it`, {
    details: { element: componentName(element.tag), prop: name },
  });
}

/** A prop of the wrong type is refused with its value. */
export function badProp(element: HostElement, name: string, wanted: string): SmoothError {
  const value = element.props[name];
  const said = typeof value === "function" ? "a function" : shown(value);
  return new SmoothError("INVALID_INPUT", `${elementName(element)} prop \`${name}\` must be ${wanted}, not ${said}`, {
    details: { element: componentName(element.tag), prop: name },
  });
}

/** Numbers that JSON would call null, and values that it cannot write, are called by their own names. */
function shown(value: unknown): string {
  try {
    return typeof value === "number" ? String(value) : (JSON.stringify(value) ?? "nothing");
  } catch {
    return `a ${typeof value} that is no JSON`;
  }
}

export function optional<T>(
  element: HostElement,
  name: string,
  is: { readonly test: (value: unknown) => value is T; readonly wanted: string },
): T | undefined {
  const value = element.props[name];
  if (value === undefined || value === null) return undefined;
  if (!is.test(value)) throw badProp(element, name, is.wanted);
  return value;
}

export const aString = {
  test: (value: unknown): value is string => typeof value === "string" && value !== "",
  wanted: "a non-empty string",
};
/** `@@` and `::` part the names of nodes (identity.ts). */
export const anId = {
  test: (value: unknown): value is string => aString.test(value) && !/@@|::/.test(value),
  wanted: "a non-empty string without @@ and ::",
};
export const aBoolean = {
  test: (value: unknown): value is boolean => typeof value === "boolean",
  wanted: "true or false",
};
export const aNumber = { test: (value: unknown): value is number => typeof value === "number", wanted: "a number" };
/** Infinity: no limit. */
export const atLeast = (least: number) => ({
  test: (value: unknown): value is number => (Number.isInteger(value) || value === Infinity) && Number(value) >= least,
  wanted: `a whole number ≥ ${least}, or Infinity`,
});
export const aDuration = {
  test: (value: unknown): value is number => typeof value === "number" && value > 0,
  wanted: "a positive number of milliseconds",
};
export const strings = {
  test: (value: unknown): value is readonly string[] =>
    Array.isArray(value) && value.every((member) => typeof member === "string"),
  wanted: "an array of strings",
};
export const stringsByName = {
  test: (value: unknown): value is Readonly<Record<string, string>> =>
    aRecord.test(value) && Object.values(value).every((member) => typeof member === "string"),
  wanted: "an object of strings",
};
export const aRecord = {
  test: (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value),
  wanted: "an object",
};
export const aJsonRecord = {
  test(value: unknown): value is Readonly<Record<string, JsonValue>> {
    try {
      return aRecord.test(value) && typeof JSON.stringify(value) === "string";
    } catch {
      return false;
    }
  },
  wanted: "an object that can be written as JSON",
};
export const oneOf = <T extends string>(...values: readonly T[]) => ({
  test: (value: unknown): value is T => (values as readonly unknown[]).includes(value),
  wanted: `one of ${values.join(", ")}`,
});
