import type { OperatorRole } from "@smooth/protocol/operator";
import type { Workspace } from "@smooth/tools/workspace";
import { clipText } from "@smooth/tools/workspace/output-window";

const MAX_AGENTS_BYTES = 32_000;
const MAX_SOURCE_BYTES = 1_000_000;

/** The role's prompt, then what the repository says about itself. Built anew at each start; never part of a checkpoint. */
export async function systemPrompt(role: OperatorRole, workspace: Workspace): Promise<string> {
  const place = `The repository is at ${workspace.root}; paths are relative to it.`;
  const agents = await workspace.read("AGENTS.md", MAX_SOURCE_BYTES);
  if (agents.kind === "refused") return `${role.prompt}\n\n${place}`;
  const text = clipText(new TextDecoder().decode(agents.value), MAX_AGENTS_BYTES);
  return `${role.prompt}\n\n${place}\n\nAGENTS.md of this repository:\n${text}`;
}
