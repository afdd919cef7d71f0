/** Tools made from an OpenAPI document, one per operation: the schema of the arguments, and the call. Invariants O1–O6 in the files beside. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import { defineTool, type Tool, type ToolContext, type ToolResult } from "../define-tool.ts";
import { call, type CallAnswer } from "./call.ts";
import { loadSpec } from "./load-spec.node.ts";
import { requestOf, type HttpRequest, type OpenApiAuth, type RequestPlan } from "./request.ts";
import { schemaReader } from "./schema.ts";
import { operationsOf, type OpenApiDocument, type Operation, type Parameter } from "./spec.ts";

export interface OpenApiCall {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly durationMs: number;
  /** Null when no answer came. */
  readonly status: number | null;
}

export interface OpenApiToolsOptions {
  /** Instead of the document's first server. */
  readonly baseUrl?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly auth?: OpenApiAuth;
  /** Only these operationIds; what is excluded stays out. */
  readonly include?: readonly string[];
  readonly includeOperations?: readonly string[];
  readonly exclude?: readonly string[];
  readonly excludeOperations?: readonly string[];
  readonly namePrefix?: string;
  /** Default 60 s. */
  readonly timeoutMs?: number;
  /** Default 1 MB. */
  readonly maxResponseBytes?: number;
  /** Sends the requests; default: the process's own. */
  readonly fetch?: typeof fetch;
  readonly onCall?: (call: OpenApiCall) => void;
}

export type OpenApiSpec = string | object;

/** One operation that can be called. */
export interface OpenApiOperation {
  readonly name: string;
  readonly operationId: string;
  readonly description: string;
  readonly schema: z.ZodObject;
  readonly sideEffect: boolean;
  readonly idempotent: boolean;
  /** O4. `args` fit the schema. Never rejects. */
  call(args: Readonly<Record<string, unknown>>, context: Calling): Promise<CallAnswer>;
}
type Calling = Pick<ToolContext, "signal" | "idempotencyKey">;

/** Throws OPENAPI_SPEC_LOAD_FAILED, and OPENAPI_OPERATION_NOT_FOUND when an included or excluded operation is not there. */
export async function openApiOperations(
  spec: OpenApiSpec,
  options: OpenApiToolsOptions = {},
): Promise<OpenApiOperation[]> {
  const document = await loadSpec(spec);
  const operations = operationsOf(document);
  const included = [...(options.include ?? []), ...(options.includeOperations ?? [])];
  const excluded = [...(options.exclude ?? []), ...(options.excludeOperations ?? [])];
  for (const wanted of [...included, ...excluded]) find(operations, wanted);
  const everything = options.include === undefined && options.includeOperations === undefined;
  const chosen = operations.filter(
    ({ operationId }) => (everything || included.includes(operationId)) && !excluded.includes(operationId),
  );
  const names = toolNames(chosen, options.namePrefix ?? "");
  const read = schemaReader(document);
  return chosen.map((operation, at) =>
    callable({ name: names[at] ?? operation.operationId, operation, document, read }, options),
  );
}

export async function openApiOperation(
  spec: OpenApiSpec,
  operationId: string,
  options: OpenApiToolsOptions = {},
): Promise<OpenApiOperation> {
  const [operation] = await openApiOperations(spec, { ...options, include: [operationId] });
  if (operation) return operation;
  throw new SmoothError("OPENAPI_OPERATION_NOT_FOUND", `${operationId} is excluded`);
}

/** By tool name: tools for an operator. */
export async function createOpenApiTools(
  spec: OpenApiSpec,
  options: OpenApiToolsOptions = {},
): Promise<Record<string, Tool>> {
  const operations = await openApiOperations(spec, options);
  return Object.fromEntries(operations.map((operation) => [operation.name, toolOf(operation)]));
}

export const createOpenApiTool = async (
  spec: OpenApiSpec,
  operationId: string,
  options: OpenApiToolsOptions = {},
): Promise<Tool> => toolOf(await openApiOperation(spec, operationId, options));

const toolOf = (operation: OpenApiOperation): Tool =>
  defineTool({ ...operation, execute: async (args, context) => resultOf(await operation.call(args, context)) });

export interface ListedOperation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly summary: string;
}

export async function listOperations(spec: OpenApiSpec): Promise<ListedOperation[]> {
  return operationsOf(await loadSpec(spec)).map(({ operationId, method, path, summary }) => ({
    operationId,
    method: method.toUpperCase(),
    path,
    summary,
  }));
}

function find(operations: readonly Operation[], wanted: string): void {
  if (operations.some(({ operationId }) => operationId === wanted)) return;
  const known = operations.map(({ operationId }) => operationId).join(", ");
  throw new SmoothError(
    "OPENAPI_OPERATION_NOT_FOUND",
    `the document has no operation ${wanted}; it has ${known.slice(0, 2_000)}`,
    {
      details: { operationId: wanted },
    },
  );
}

/** What model providers take as a name: letters, digits, `_` and `-`, at most 64; different operations keep different names. */
function toolNames(operations: readonly Operation[], prefix: string): string[] {
  const taken = new Set<string>();
  return operations.map(({ operationId }) => {
    const clean =
      `${prefix}${operationId}`
        .replaceAll(/[^a-zA-Z0-9-]+/g, "_")
        .replaceAll(/^_+|_+$/g, "")
        .slice(0, 60) || "operation";
    let name = clean;
    for (let again = 2; taken.has(name); again += 1) name = `${clean}_${again}`;
    taken.add(name);
    return name;
  });
}

interface Making {
  readonly name: string;
  readonly operation: Operation;
  readonly document: OpenApiDocument;
  readonly read: ReturnType<typeof schemaReader>;
}

const CHANGES_NOTHING = ["get", "head", "options", "trace"];
const IDEMPOTENT = [...CHANGES_NOTHING, "put", "delete"];

function callable({ name, operation, document, read }: Making, options: OpenApiToolsOptions): OpenApiOperation {
  const names = argumentNames(operation.parameters);
  const plan: RequestPlan = {
    operation,
    names,
    baseUrl: baseUrlOf(operation, document, options.baseUrl),
    headers: options.headers ?? {},
    auth: options.auth ?? { type: "none" },
  };
  const said = [operation.summary, operation.description].filter(Boolean).join("\n");
  return {
    name,
    operationId: operation.operationId,
    description: said || `${operation.method.toUpperCase()} ${operation.path}`,
    schema: argumentSchema(operation, names, read),
    sideEffect: !CHANGES_NOTHING.includes(operation.method),
    idempotent: IDEMPOTENT.includes(operation.method),
    call: (args, context) => perform(plan, args, { options, context }),
  };
}

/** A parameter is called by its name; one that another place or the body has taken says its place too. */
function argumentNames(parameters: readonly Parameter[]): ReadonlyMap<Parameter, string> {
  const taken = new Set(["body"]);
  return new Map(
    parameters.map((parameter) => {
      const name = taken.has(parameter.name) ? `${parameter.name}_${parameter.in}` : parameter.name;
      taken.add(name);
      return [parameter, name];
    }),
  );
}

function argumentSchema(
  { parameters, body }: Operation,
  names: ReadonlyMap<Parameter, string>,
  read: Making["read"],
): z.ZodObject {
  const described = (
    schema: z.ZodType,
    { required, description }: { required: boolean; description: string },
  ): z.ZodType => {
    const said = description === "" ? schema : schema.describe(description);
    return required ? said : said.optional();
  };
  const shape = parameters.map((parameter) => [
    names.get(parameter) ?? parameter.name,
    described(read(parameter.schema), parameter),
  ]);
  return z.strictObject(
    Object.fromEntries([...shape, ...(body ? [["body", described(read(body.schema), body)]] : [])]),
  );
}

function baseUrlOf({ server }: Operation, { url }: OpenApiDocument, given: string | undefined): string {
  const base = given ?? server ?? (url === null ? undefined : "/");
  const absolute = base === undefined ? null : URL.parse(base, url ?? undefined);
  if (absolute && /^https?:$/.test(absolute.protocol)) return absolute.href;
  throw new SmoothError(
    "OPENAPI_SPEC_LOAD_FAILED",
    `${JSON.stringify(base ?? null)} is no http address to send requests to; give a baseUrl`,
  );
}

interface Performing {
  readonly options: OpenApiToolsOptions;
  readonly context: Calling;
}

async function perform(
  plan: RequestPlan,
  args: Readonly<Record<string, unknown>>,
  { options, context }: Performing,
): Promise<CallAnswer> {
  const { timeoutMs = 60_000, maxResponseBytes = 1_000_000, fetch: fetchIt = fetch } = options;
  const { operationId, method, path } = plan.operation;
  const headers = IDEMPOTENT.includes(method)
    ? plan.headers
    : { "Idempotency-Key": context.idempotencyKey, ...plan.headers };
  const request = written({ ...plan, headers }, args);
  if ("kind" in request) return request;
  const startedAtMs = performance.now();
  const answer = await call(request, { timeoutMs, maxResponseBytes, fetch: fetchIt }, context.signal);
  options.onCall?.({ operationId, method, path, durationMs: performance.now() - startedAtMs, status: answer.status });
  return answer;
}

/** O4. What no URL or header can hold, half a character for one, is not sent. */
function written(plan: RequestPlan, args: Readonly<Record<string, unknown>>): HttpRequest | CallAnswer {
  try {
    return requestOf(plan, args);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { kind: "failed", status: null, message: `the request cannot be written: ${why}` };
  }
}

/** O4 */
function resultOf(answer: CallAnswer): ToolResult {
  if (answer.kind === "failed") return { ok: false, content: JSON.stringify(asError(answer)) };
  return { ok: true, content: typeof answer.value === "string" ? answer.value : JSON.stringify(answer.value) };
}

/** How a failed call is told to an agent. */
export const asError = ({ message, status }: Extract<CallAnswer, { kind: "failed" }>) => ({
  error: true as const,
  message,
  status,
});
