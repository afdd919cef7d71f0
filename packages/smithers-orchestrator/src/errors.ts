/** Errors as workflow authors handle them: by code. The codes are those of `ERRORS`, where each says what it means. */
import { ERROR_REFERENCE_URL, ERRORS, SmoothError, type ErrorCode } from "@smooth/protocol/errors";

export { ERROR_REFERENCE_URL, SmoothError as SmithersErrorInstance } from "@smooth/protocol/errors";

/** Codes of the documented package that this engine never throws: a `switch` over them compiles, and other codes come instead. */
const ELSEWHERE = [
  "AGENT_BUILD_COMMAND",
  "AGENT_CLI_ERROR",
  "AGENT_DIAGNOSTIC_TIMEOUT",
  "AGENT_RPC_FILE_ARGS",
  "APPROVAL_OPTIONS_REQUIRED",
  "APPROVAL_OUTSIDE_TASK",
  "CLI_AGENT_UNSUPPORTED",
  "CLI_DB_NOT_FOUND",
  "CONTEXT_OUTSIDE_WORKFLOW",
  "DB_QUERY_FAILED",
  "DB_REQUIRES_BUN_SQLITE",
  "DB_WRITE_FAILED",
  "DEP_NOT_SATISFIED",
  "EXTERNAL_BUILD_FAILED",
  "HOT_OVERLAY_FAILED",
  "INTERNAL_ERROR",
  "INVALID_EVENTS_OPTIONS",
  "MDX_PRELOAD_INACTIVE",
  "MISSING_INPUT",
  "MISSING_INPUT_TABLE",
  "MISSING_OUTPUT",
  "NESTED_LOOP",
  "OPENAPI_TOOL_EXECUTION_FAILED",
  "PI_HTTP_ERROR",
  "PROCESS_ABORTED",
  "PROCESS_IDLE_TIMEOUT",
  "PROCESS_SPAWN_FAILED",
  "PROCESS_TIMEOUT",
  "PROMPT_EXISTS",
  "PROMPT_MDX_INVALID",
  "RUN_CANCELLED",
  "RUN_HIJACKED",
  "RUN_RESUME_ACTIVATION_FAILED",
  "RUN_RESUME_CLAIM_FAILED",
  "RUN_RESUME_CLAIM_LOST",
  "RUN_STILL_RUNNING",
  "SANDBOX_BUNDLE_INVALID",
  "SANDBOX_BUNDLE_TOO_LARGE",
  "SANDBOX_EXECUTION_FAILED",
  "SCHEDULER_ERROR",
  "SCHEMA_DISCOVERY_FAILED",
  "SESSION_ERROR",
  "STORAGE_ERROR",
  "TASK_ID_REQUIRED",
  "TASK_MISSING_OUTPUT",
  "TICKET_EXISTS",
  "TICKET_NOT_FOUND",
  "TOOL_COMMAND_FAILED",
  "TOOL_CONTENT_TOO_LARGE",
  "TOOL_FILE_TOO_LARGE",
  "TOOL_GIT_REMOTE_DISABLED",
  "TOOL_GREP_FAILED",
  "TOOL_NETWORK_DISABLED",
  "TOOL_PATCH_FAILED",
  "TOOL_PATCH_TOO_LARGE",
  "TOOL_PATH_ESCAPE",
  "TOOL_PATH_INVALID",
  "UI_COMMAND_FAILED",
  "VCS_NOT_FOUND",
  "VCS_WORKSPACE_CREATE_FAILED",
  "WORKFLOW_EXECUTION_FAILED",
  "WORKFLOW_EXISTS",
  "WORKFLOW_MISSING_DEFAULT",
  "WORKTREE_CREATE_FAILED",
  "WORKTREE_EMPTY_PATH",
] as const;

export type KnownSmithersErrorCode = ErrorCode | (typeof ELSEWHERE)[number];
/** Known codes, and those of one's own. */
export type SmithersErrorCode = KnownSmithersErrorCode | (string & {});

/** What carries a code: an error that was thrown here, or the `error` of a run's result. */
export interface SmithersError {
  readonly code: SmithersErrorCode;
  readonly message: string;
  /** Another name of the message. */
  readonly summary?: string | undefined;
  readonly docsUrl?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

export const knownSmithersErrorCodes: readonly KnownSmithersErrorCode[] = [
  ...(Object.keys(ERRORS) as ErrorCode[]),
  ...ELSEWHERE,
];

const KNOWN: ReadonlySet<string> = new Set(knownSmithersErrorCodes);
export const isKnownSmithersErrorCode = (code: string): code is KnownSmithersErrorCode => KNOWN.has(code);

const isThrownHere = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

export const isSmithersError = (error: unknown): error is SmithersError =>
  typeof error === "object" &&
  error !== null &&
  typeof (error as { code?: unknown }).code === "string" &&
  typeof (error as { message?: unknown }).message === "string";

export interface SmithersErrorDefinition {
  readonly description: string;
  readonly httpStatus: number;
  readonly exitCode: number;
}

/** Undefined for a code that is never thrown here. */
export function getSmithersErrorDefinition(code: SmithersErrorCode): SmithersErrorDefinition | undefined {
  if (!isThrownHere(code)) return undefined;
  const { about, http, exit } = ERRORS[code];
  return { description: about, httpStatus: http, exitCode: exit };
}

/** One page explains them all. */
export const getSmithersErrorDocsUrl = (_code: SmithersErrorCode): string => ERROR_REFERENCE_URL;

export interface SmithersErrorJson {
  readonly message: string;
  readonly code?: SmithersErrorCode;
  readonly docsUrl?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: SmithersErrorJson;
  readonly stack?: string;
}

/** Everything that can be said of a throwable, as plain data. */
export function errorToJson(error: unknown): SmithersErrorJson {
  if (!(error instanceof Error)) return { message: String(error) };
  const code = isSmithersError(error) ? error.code : undefined;
  return {
    message: error.message,
    ...(code === undefined ? {} : { code, docsUrl: getSmithersErrorDocsUrl(code) }),
    ...(error instanceof SmoothError ? { details: error.details } : {}),
    ...(error.cause === undefined ? {} : { cause: errorToJson(error.cause) }),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}
