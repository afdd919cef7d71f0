/** What a run was started with beside its input. It is recorded with the run's first row and compared before the run goes on.
 *  M1. A difference is refused by name: which file, which package, which folder.
 *  M2. Consent is an event in the same transaction as the claim, and what was accepted is what the next resume compares with. */
import { SmoothError } from "@smooth/protocol/errors";
import { lazily } from "@smooth/protocol/lazily";
import { z } from "zod";
import type { JsonValue } from "../outputs/json.ts";

/** A workflow's import graph: own files by content, packages by version. */
export const WorkflowSource = lazily(() =>
  z.object({
    entry: z.string(),
    /** Path relative to the entry's folder → SHA-256, hex. */
    files: z.record(z.string(), z.string()).readonly(),
    /** Package name → version. */
    packages: z.record(z.string(), z.string()).readonly(),
  }),
);
export type WorkflowSource = Readonly<z.infer<ReturnType<typeof WorkflowSource>>>;

export interface RunMetadata {
  /** Null: the workflow was made in the process and has no files. */
  readonly source: WorkflowSource | null;
  /** The folder under version control the run works in, or null. */
  readonly vcsRoot: string | null;
}

export interface Acceptance {
  readonly metadata: RunMetadata;
  readonly changed: readonly string[];
  readonly by: string;
}

export const NO_METADATA: RunMetadata = { source: null, vcsRoot: null };

/** M1. What was not known then, or is not known now, cannot differ. */
export function metadataChanges(then: RunMetadata, now: RunMetadata): readonly string[] {
  const moved = then.vcsRoot !== null && now.vcsRoot !== null && then.vcsRoot !== now.vcsRoot;
  const root = moved ? [`vcs root ${then.vcsRoot} → ${now.vcsRoot}`] : [];
  if (!then.source || !now.source) return root;
  const files = changes(then.source.files, now.source.files).map(([name, how]) => `${name} ${how}`);
  const packages = changes(then.source.packages, now.source.packages).map(([name, how, before, after]) =>
    how === "changed" ? `package ${name} ${before} → ${after}` : `package ${name} ${how}`,
  );
  return [...files, ...packages, ...root];
}

type Change = readonly [name: string, how: "changed" | "added" | "removed", before?: string, after?: string];

function changes(then: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>): readonly Change[] {
  const names = [...new Set([...Object.keys(then), ...Object.keys(now)])].toSorted();
  return names.flatMap((name): Change[] => {
    const [before, after] = [then[name], now[name]];
    if (before === after) return [];
    if (before === undefined) return [[name, "added"]];
    return after === undefined ? [[name, "removed"]] : [[name, "changed", before, after]];
  });
}

export interface ResumeCheck {
  readonly runId: string;
  readonly recorded: RunMetadata & { readonly input: JsonValue };
  /** `input` undefined: the recorded one counts. */
  readonly now: RunMetadata & { readonly input?: JsonValue | undefined };
  /** Who agrees to go on with a changed workflow; absent: nobody does. */
  readonly acceptedBy?: string | undefined;
}

/** What the claim has to record, or null when nothing changed. Throws RESUME_METADATA_MISMATCH. An input is never exchanged: fork instead. */
export function checkMetadata({ runId, recorded, now, acceptedBy }: ResumeCheck): Acceptance | null {
  if (now.input !== undefined && canonical(now.input) !== canonical(recorded.input))
    throw mismatch(runId, ["input"], "leave the input out, or fork the run with another one");
  const changed = metadataChanges(recorded, now);
  if (changed.length === 0) return null;
  if (acceptedBy === undefined)
    throw mismatch(runId, changed, "restore it, or accept the change with --accept-workflow-change");
  const metadata = { source: now.source ?? recorded.source, vcsRoot: now.vcsRoot ?? recorded.vcsRoot };
  return { metadata, changed, by: acceptedBy };
}

const mismatch = (runId: string, changed: readonly string[], wayOut: string): SmoothError =>
  new SmoothError(
    "RESUME_METADATA_MISMATCH",
    `run ${runId} was started with another ${changed.join(", ")}; ${wayOut}`,
    {
      details: { runId, changed },
    },
  );

/** JSON with keys in order: `{a, b}` and `{b, a}` are the same input. */
function canonical(value: JsonValue): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
