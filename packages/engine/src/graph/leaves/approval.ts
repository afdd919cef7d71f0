/** Reads an Approval element into a leaf of the plan. */
import { z } from "zod";
import type { HostElement } from "../../render/renderer.ts";
import type { ApprovalLeaf } from "../plan.ts";
import { aBoolean, badProp, oneOf, onlyKnown, optional, strings } from "../props.ts";
import { aliases, COMMON_PROPS, edgesOf, readCommon, type DraftLeaf, type LeafScope } from "./common.ts";

const APPROVAL = [...COMMON_PROPS, "mode", "options", "request", "onDeny", "allowedUsers", "allowedScopes", "async"];

const Metadata = z.record(z.string(), z.json()).optional();
const Request = z.object({ title: z.string(), summary: z.string().optional(), metadata: Metadata });
const Options = z
  .array(z.object({ key: z.string(), label: z.string(), summary: z.string().optional(), metadata: Metadata }))
  .optional();

export function readApproval(element: HostElement, scope: LeafScope): DraftLeaf {
  onlyKnown(element, APPROVAL);
  const request = Request.safeParse(element.props["request"]);
  if (!request.success) throw badProp(element, "request", "{ title, summary?, metadata? }");
  const mode = optional(element, "mode", oneOf("approve", "select", "rank")) ?? "approve";
  const options = Options.safeParse(element.props["options"]);
  if (!options.success || (mode !== "approve" && !options.data?.length))
    throw badProp(element, "options", "[{ key, label }, …] for select and rank");
  const leaf: ApprovalLeaf = {
    ...readCommon(element, scope),
    type: "approval",
    mode,
    request: {
      ...request.data,
      options: options.data,
      allowedUsers: optional(element, "allowedUsers", strings),
      allowedScopes: optional(element, "allowedScopes", strings),
    },
    onDeny: optional(element, "onDeny", oneOf("fail", "continue", "skip")) ?? "fail",
    async: optional(element, "async", aBoolean) ?? false,
  };
  return { ...leaf, edges: edgesOf(element, aliases(element)) };
}
