import { z } from "zod";
import { ApiFormat } from "./providers.ts";

/** The line between the host and the operator program in the VM: one JSON document per line over the exec's stdin and stdout.
 *  O1. Everything the guest says is untrusted: parsed, size-capped, rate-capped by the host.
 *  O2. A tool runs only after `tool.verdict: run`; its result reaches the model only as the host returns it (`tool.result`, redacted).
 *  O3. The conversation in a `checkpoint` contains only what the host has already seen and redacted. */

export const ToolCall = z.object({
  id: z.string().max(200),
  name: z.string().max(100),
  /** JSON text as the model wrote it. */ args: z.string().max(1_000_000),
});
export type ToolCall = z.infer<typeof ToolCall>;

/** OpenAI chat dialect, the common denominator; providers translate. */
export const ChatMessage = z.discriminatedUnion("role", [
  z.object({ role: z.literal("system"), content: z.string() }),
  /** `steerId`: a person's words to a working operator, so that a checkpoint tells which of them it holds. */
  z.object({ role: z.literal("user"), content: z.string(), steerId: z.string().max(200).optional() }),
  z.object({ role: z.literal("assistant"), content: z.string(), toolCalls: z.array(ToolCall).default([]) }),
  z.object({ role: z.literal("tool"), callId: z.string(), content: z.string() }),
]);
export type ChatMessage = z.infer<typeof ChatMessage>;

export const OperatorRole = z.object({
  name: z.string(),
  slot: z.string(),
  prompt: z.string(),
  tools: z.array(z.string()),
});
export type OperatorRole = z.infer<typeof OperatorRole>;

/** Host → guest. */
export const OperatorInput = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("start"),
    role: OperatorRole,
    /** Where the repository is in the guest. */
    workspace: z.string(),
    /** Base URL as seen from the guest (`http://model.th.internal/v1`). */
    modelUrl: z.string(),
    /** The dialects of the providers behind the slot, in the order they are asked. */
    modelFormats: z.array(ApiFormat).min(1),
    /** The guest's stand-in for a provider key; Goalie swaps it. */
    modelToken: z.string(),
    /** Earlier messages of this conversation; the operator continues after the last one. */
    conversation: z.array(ChatMessage),
    maxModelCalls: z.int().positive(),
  }),
  z.object({
    type: z.literal("tool.verdict"),
    callId: z.string(),
    verdict: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("run") }),
      z.object({ kind: z.literal("refuse"), message: z.string() }),
    ]),
  }),
  z.object({ type: z.literal("tool.result"), callId: z.string(), content: z.string() }),
  z.object({ type: z.literal("steer"), id: z.string().max(200), text: z.string() }),
  z.object({ type: z.literal("pause") }),
  z.object({ type: z.literal("unpause") }),
  z.object({ type: z.literal("cancel") }),
]);
export type OperatorInput = z.infer<typeof OperatorInput>;

/** Guest → host. */
export const OperatorOutput = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("delta"), partId: z.string().max(200), text: z.string().max(100_000) }),
  z.object({
    type: z.literal("message"),
    partId: z.string().max(200),
    text: z.string().max(1_000_000),
    toolCalls: z.array(ToolCall).max(100),
  }),
  z.object({
    type: z.literal("usage"),
    model: z.string().max(200),
    inputTokens: z.int().nonnegative(),
    outputTokens: z.int().nonnegative(),
  }),
  z.object({ type: z.literal("tool.request"), call: ToolCall }),
  z.object({
    type: z.literal("tool.output"),
    callId: z.string().max(200),
    ok: z.boolean(),
    content: z.string().max(1_000_000),
    tookMs: z.int().nonnegative(),
  }),
  /** After every assistant message, tool call and steer: what a new VM needs to continue. */
  z.object({ type: z.literal("checkpoint"), afterCallId: z.string().nullable(), conversation: z.array(ChatMessage) }),
  z.object({
    type: z.literal("completed"),
    text: z.string().max(1_000_000),
    reason: z.enum(["done", "model-call-limit", "cancelled"]),
  }),
  z.object({ type: z.literal("failed"), code: z.string().max(100), message: z.string().max(10_000) }),
]);
export type OperatorOutput = z.infer<typeof OperatorOutput>;
