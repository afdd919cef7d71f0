/** Reads an Approval element into a leaf of the plan. */
import { lazily } from "@smooth/protocol/lazily";
import { z } from "zod";
import type { HostElement } from "../../render/renderer.ts";
import type { ApprovalLeaf } from "../plan.ts";
import { aBoolean, aDuration, badProp, oneOf, onlyKnown, optional, refuse, strings } from "../props.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "../../schedule/retry.ts";
import { readRetry } from "./task.ts";
import { aliases, COMMON_PROPS, edgesOf, readCommon, type DraftLeaf, type LeafScope } from "./common.ts";

const APPROVAL = [
  ...COMMON_PROPS,
  "mode",
  "options",
  "request",
  "onDeny",
  "allowedUsers",
  "allowedScopes",
  "async",
  "timeoutMs",
  "retries",
  "retryPolicy",
  "autoApprove",
];

/** Asked once, and when asked again, at once. */
const ONCE: RetryPolicy = { ...DEFAULT_RETRY, retries: 0, backoff: "fixed", initialDelayMs: 0, jitter: false };

const Metadata = lazily(() => z.record(z.string(), z.json()).optional());
const Request = lazily(() => z.object({ title: z.string(), summary: z.string().optional(), metadata: Metadata() }));
const Options = lazily(() =>
  z
    .array(z.object({ key: z.string(), label: z.string(), summary: z.string().optional(), metadata: Metadata() }))
    .optional(),
);

export function readApproval(element: HostElement, scope: LeafScope): DraftLeaf {
  refuse(element, "cache", "a person's decision is not used again; autoApprove says when nobody needs to be asked");
  refuse(element, "heartbeatTimeoutMs", "who decides gives no heartbeats; timeoutMs says how long to wait");
  onlyKnown(element, APPROVAL);
  const request = Request().safeParse(element.props["request"]);
  if (!request.success) throw badProp(element, "request", "{ title, summary?, metadata? }");
  const mode = optional(element, "mode", oneOf("approve", "select", "rank")) ?? "approve";
  const options = Options().safeParse(element.props["options"]);
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
    timeoutMs: optional(element, "timeoutMs", aDuration) ?? null,
    retry: readRetry(element, ONCE),
    auto: readAuto(element, mode),
  };
  return { leaf, edges: edgesOf(element, aliases(element)) };
}

/** `holds` is what the author's `condition` and `revertOn` said in this frame. */
const Auto = lazily(() => z.strictObject({ after: z.int().nonnegative(), audit: z.boolean(), holds: z.boolean() }));

function readAuto(element: HostElement, mode: ApprovalLeaf["mode"]): ApprovalLeaf["auto"] {
  if (element.props["autoApprove"] === undefined) return null;
  const auto = Auto().safeParse(element.props["autoApprove"]);
  if (!auto.success)
    throw badProp(element, "autoApprove", "{ after?: a whole number ≥ 0, condition?, revertOn?, audit? }");
  if (mode !== "approve") throw badProp(element, "autoApprove", `absent: there is nothing to choose for mode ${mode}`);
  const { holds, after, audit } = auto.data;
  return holds ? { after, audit } : null;
}
