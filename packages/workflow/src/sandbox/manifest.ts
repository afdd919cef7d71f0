/** What the program in a sandbox says about its end: a JSON file where SMOOTH_BUNDLE points. A stranger's word, so it is parsed.
 *  `output` may hold what JSON has no word for, in the engine's own notation. */
import { ERRORS, SmoothError, type ErrorCode } from "@smooth/protocol/errors";
import { z } from "zod";

export const MAX_MANIFEST_BYTES = 5 * 1024 * 1024;

export const Manifest = z.discriminatedUnion("status", [
  z.object({ status: z.literal("finished"), runId: z.string().max(200).optional(), output: z.unknown() }),
  z.object({
    status: z.enum(["failed", "cancelled", "waiting"]),
    runId: z.string().max(200).optional(),
    error: z.object({ code: z.string().max(100), message: z.string().max(10_000) }).optional(),
  }),
]);
export type Manifest = z.infer<typeof Manifest>;

/** Throws SANDBOX_BUNDLE_INVALID. */
export function parseManifest(id: string, text: string): Manifest {
  const problem = `the manifest of sandbox ${id} is not { status: finished | failed | cancelled, output, error? }`;
  try {
    const parsed = Manifest.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    throw invalid(`${problem}: ${z.prettifyError(parsed.error)}`);
  } catch (error) {
    if (error instanceof SmoothError) throw error;
    throw invalid(`${problem}: it is no JSON`);
  }
}

/** The answer, or why there is none: the child's own failure keeps its code, so that a handler around the step knows it. */
export function answerOf(id: string, manifest: Manifest): unknown {
  if (manifest.status === "finished") return manifest.output;
  if (manifest.status === "waiting")
    throw new SmoothError(
      "SANDBOX_EXECUTION_FAILED",
      `sandbox ${id} came to ${manifest.error?.message ?? "a wait"}, and a sandbox is one step that nobody can reach; put approvals, signals, human tasks and long timers before or after it`,
      { details: { failureRetryable: false } },
    );
  const { code = "SANDBOX_EXECUTION_FAILED", message = `it was ${manifest.status}` } = manifest.error ?? {};
  throw new SmoothError(isKnown(code) ? code : "SANDBOX_EXECUTION_FAILED", `in sandbox ${id}: ${message}`);
}

const isKnown = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

const invalid = (message: string): SmoothError =>
  new SmoothError("SANDBOX_BUNDLE_INVALID", message.slice(0, 2_000), { details: { failureRetryable: false } });
