/** Which sandbox a step gets. Pure.
 *  C1. Without a runtime the strongest usable one is taken; a named one is taken or refused, never replaced by another.
 *  C2. Nothing weaker than the host's minimum is used, whoever asks for it.
 *  C3. What the author asks for and it cannot give is refused, not left out. */
import type { SandboxRuntime, SandboxSpec } from "@smooth/engine/sandboxes";
import { IsolationLevel } from "@smooth/protocol/policy";

/** One that this host knows of, as its probe answered. */
export interface Candidate {
  readonly runtime: SandboxRuntime;
  /** Null: it does not work here, for these reasons. */
  readonly level: IsolationLevel | null;
  readonly reasons: readonly string[];
  readonly fixes: readonly string[];
  readonly lacks: readonly { readonly capability: string; readonly reason: string }[];
}

export type Choice =
  | { readonly kind: "chosen"; readonly runtime: SandboxRuntime; readonly level: IsolationLevel }
  | { readonly kind: "refused"; readonly why: string };

/** Strongest first. */
const LEVELS = IsolationLevel.options;
const weakness = (level: IsolationLevel): number => LEVELS.indexOf(level);

type Asked = Pick<SandboxSpec, "runtime" | "memoryMb" | "volumes">;

export function choose(spec: Asked, candidates: readonly Candidate[], minIsolation: IsolationLevel): Choice {
  const asked = spec.runtime;
  const wanted = candidates.filter(({ runtime }) => asked === null || runtime === asked);
  const usable = wanted
    .flatMap(({ runtime, level, lacks }) => (level === null ? [] : [{ runtime, level, lacks }]))
    .toSorted((a, b) => weakness(a.level) - weakness(b.level));
  const [best] = usable;
  if (!best) return { kind: "refused", why: noneOf(asked, wanted) };
  const { runtime, level } = best;
  if (weakness(level) <= weakness(minIsolation)) {
    const lack = best.lacks.find(({ capability }) => needs(spec).has(capability)); // C3
    if (!lack) return { kind: "chosen", runtime, level };
    return { kind: "refused", why: `${runtime} cannot give what it asks for here: ${lack.reason}` };
  }
  const way = `allow it with { sandboxes: { minIsolation: "${best.level}" } } where the workflow is run`;
  const stronger = asked === null ? "" : ", or leave `runtime` out";
  return {
    kind: "refused",
    why: `${best.runtime} isolates by ${best.level}, and this host asks for ${minIsolation} or stronger; ${way}${stronger}`,
  };
}

const needs = ({ memoryMb, volumes }: Asked): ReadonlySet<string> =>
  new Set([...(memoryMb === null ? [] : ["memory-sum"]), ...(volumes.length === 0 ? [] : ["walls"])]);

function noneOf(asked: SandboxRuntime | null, wanted: readonly Candidate[]): string {
  if (wanted.length === 0)
    return `this host has no sandbox called ${asked ?? "anything"}; leave \`runtime\` out to get the strongest it has`;
  return wanted
    .map(({ runtime, reasons, fixes }) => {
      const fix = fixes.length > 0 ? `; to fix it: ${fixes.join("; ")}` : "";
      return `${runtime} does not work here: ${reasons.join("; ")}${fix}`;
    })
    .join(" — ");
}
