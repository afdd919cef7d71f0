import type { ApprovalOption } from "@smooth/engine/plan";
import type { ApprovalRow } from "@smooth/engine/store";
import type { AskChoice, AskSubject } from "@smooth/protocol/asks";

/** What a person sees of an approval of a workflow before deciding it.
 *  S1. All of it: its words, the options, what its author says beside them, the patch that a yes writes. What is too long is cut,
 *      and says how much is missing.
 *  S2. Redacted, but for the keys of options: they are what is answered with. */

const MAX_CHARACTERS = 20_000;
/** The engine's own limit of a patch is below this. */
const MAX_PATCH_CHARACTERS = 100_000;

export function approvalSubject(
  { nodeId, iteration, mode, request }: Pick<ApprovalRow, "nodeId" | "iteration" | "mode" | "request">,
  redact: (text: string) => string,
): Extract<AskSubject, { kind: "approval" }> {
  const { title, summary, options, metadata = {} } = request;
  const { patch, paths: _, ...beside } = metadata;
  const isPatch = typeof patch === "string"; // then it names its paths itself
  const details = isPatch ? beside : metadata;
  const shown = (text: string, limit = MAX_CHARACTERS): string => cut(redact(text), limit); // S2
  const offered = ({ key, label, summary: about }: ApprovalOption): AskChoice["options"][number] => ({
    key,
    label: shown(label),
    ...(about !== undefined && { summary: shown(about) }),
  });
  return {
    kind: "approval",
    nodeId,
    iteration,
    title: shown(title),
    ...(summary !== undefined && { summary: shown(summary) }),
    ...((mode === "select" || mode === "rank") && options && { choice: { mode, options: options.map(offered) } }),
    ...(Object.keys(details).length > 0 && { details: shown(JSON.stringify(details, null, 2)) }),
    ...(isPatch && { patch: shown(patch, MAX_PATCH_CHARACTERS) }),
  };
}

/** S1 */
const cut = (text: string, limit: number): string =>
  text.length <= limit ? text : `${text.slice(0, limit)}\n… ${text.length - limit} more characters are not shown`;
