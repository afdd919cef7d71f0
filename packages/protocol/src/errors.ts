/** Every code that may leave a process. The code decides the HTTP status and the exit code; nobody matches on the text.
 *  E1. A face (HTTP, CLI, web) translates a SmoothError once, from this table. */

export const ERRORS = {
  INVALID_INPUT: { http: 400, exit: 4, about: "The request does not have the shape this method takes." },
  UNAUTHENTICATED: { http: 401, exit: 4, about: "No valid token came with the request." },
  POLICY_DENIED: { http: 403, exit: 1, about: "The caller is known but may not do this." },
  FORBIDDEN_ORIGIN: { http: 403, exit: 1, about: "The Host or Origin header names a site that may not call." },
  NOT_FOUND: { http: 404, exit: 1, about: "No such thing, or not in this org." },
  RUN_NOT_FOUND: { http: 404, exit: 1, about: "No run has this id." },
  PEARL_NOT_FOUND: { http: 404, exit: 1, about: "No pearl has this id." },
  ASK_NOT_FOUND: { http: 404, exit: 1, about: "No ask has this id." },
  NODE_NOT_FOUND: { http: 404, exit: 1, about: "The run has no such node." },
  METHOD_NOT_FOUND: { http: 404, exit: 4, about: "No method has this name." },
  METHOD_NOT_ALLOWED: { http: 405, exit: 4, about: "This path takes another HTTP method." },
  CONFLICT: { http: 409, exit: 1, about: "The state changed in a way that makes this request impossible." },
  ALREADY_DECIDED: { http: 409, exit: 1, about: "Somebody decided first; the first decision stays." },
  ASK_VOID: { http: 409, exit: 1, about: "The action behind this ask changed or ended; the ask is void." },
  RUN_NOT_RESUMABLE: { http: 409, exit: 1, about: "The run is finished, or another process owns it." },
  PEARL_CYCLE: { http: 409, exit: 4, about: "The dependency would close a cycle." },
  PAYLOAD_TOO_LARGE: { http: 413, exit: 4, about: "The body is over the limit." },
  UNSUPPORTED_MEDIA_TYPE: { http: 415, exit: 4, about: "Bodies are application/json." },
  RATE_LIMITED: { http: 429, exit: 1, about: "Too many requests; see Retry-After." },
  SANDBOX_UNAVAILABLE: { http: 503, exit: 1, about: "No sandbox at the required isolation level is usable here." },
  SANDBOX_FAILED: { http: 502, exit: 1, about: "The sandbox did not start, or died." },
  SANDBOX_EXECUTION_FAILED: { http: 502, exit: 1, about: "What ran in a sandbox did not come to a result." },
  SANDBOX_BUNDLE_INVALID: { http: 502, exit: 1, about: "A sandbox left something that may not come out of it." },
  SANDBOX_BUNDLE_TOO_LARGE: { http: 413, exit: 1, about: "A sandbox's files or manifest are over the limits." },
  HOST_OFFLINE: { http: 503, exit: 1, about: "The host is not connected." },
  PROVIDER_FAILED: { http: 502, exit: 1, about: "The model provider refused or did not answer." },
  VCS_FAILED: { http: 500, exit: 1, about: "A version-control command failed." },
  MERGE_CONFLICT: { http: 409, exit: 1, about: "The diff no longer applies to the branch." },
  CONFIG_INVALID: { http: 500, exit: 4, about: "A configuration file or environment variable is unusable." },
  CANCELLED: { http: 499, exit: 2, about: "The caller or a person cancelled this." },
  TIMED_OUT: { http: 504, exit: 1, about: "The deadline passed first." },
  PROP_UNSUPPORTED: { http: 400, exit: 4, about: "A workflow element has a prop this engine does not implement." },
  DUPLICATE_ID: { http: 400, exit: 4, about: "Two elements of one frame share an id; nothing was executed." },
  UNKNOWN_OUTPUT_SCHEMA: { http: 400, exit: 4, about: "An output is not one of the schemas given to createSmithers." },
  WORKFLOW_RENDER_FAILED: { http: 500, exit: 1, about: "The workflow threw or suspended while it was rendered." },
  DEPENDENCY_DEADLOCK: { http: 500, exit: 1, about: "A node waits for something that will never finish." },
  INVALID_OUTPUT: { http: 500, exit: 1, about: "A task's output does not match its schema." },
  TASK_FAILED: { http: 500, exit: 1, about: "A task's body threw." },
  TASK_HIJACK_UNSUPPORTED: { http: 409, exit: 4, about: "The task's agents cannot hand their session to a person." },
  TOOL_FAILED: { http: 500, exit: 1, about: "A tool of a task refused its arguments or its work failed." },
  TASK_RUNTIME_UNAVAILABLE: {
    http: 500,
    exit: 4,
    about: "A task tool was called outside of a task, or its host binds no tools.",
  },
  TASK_TIMEOUT: { http: 504, exit: 1, about: "A task ran longer than its timeoutMs." },
  TASK_HEARTBEAT_TIMEOUT: { http: 504, exit: 1, about: "A task was silent longer than its heartbeatTimeoutMs." },
  TASK_ABORTED: { http: 499, exit: 2, about: "A task was stopped because its run ended." },
  HEARTBEAT_PAYLOAD_TOO_LARGE: { http: 413, exit: 4, about: "A heartbeat is over 1 MB of JSON." },
  HEARTBEAT_PAYLOAD_NOT_JSON_SERIALIZABLE: { http: 400, exit: 4, about: "A heartbeat cannot be written as JSON." },
  AGENT_CONFIG_INVALID: { http: 500, exit: 4, about: "An agent cannot work as configured (key, model, binary)." },
  SCORER_FAILED: { http: 500, exit: 1, about: "A scorer threw, hung, or gave something that is not a score." },
  APPROVAL_DENIED: { http: 403, exit: 1, about: "A person denied an approval whose onDeny is fail." },
  SCHEMA_CHANGE_HOT: {
    http: 409,
    exit: 4,
    about: "An edited workflow changes a schema; a running one keeps its schemas.",
  },
  HOT_RELOAD_INVALID_MODULE: { http: 400, exit: 4, about: "An edited workflow does not load or does not render." },
  HUMAN_TASK_CANCELLED: { http: 409, exit: 1, about: "A person refused to answer a workflow's question." },
  RALPH_MAX_REACHED: { http: 500, exit: 1, about: "A loop used up maxIterations and its onMaxReached is fail." },
  OPENAPI_SPEC_LOAD_FAILED: { http: 400, exit: 4, about: "An OpenAPI document cannot be read, or is not one." },
  OPENAPI_OPERATION_NOT_FOUND: { http: 404, exit: 4, about: "The OpenAPI document has no such operation." },
  ASPECT_BUDGET_EXCEEDED: {
    http: 429,
    exit: 1,
    about: "A token, latency or cost budget of an Aspects element is spent.",
  },
  CONTINUATION_STATE_TOO_LARGE: {
    http: 413,
    exit: 4,
    about: "The state to continue as new with is over 10 MB of JSON.",
  },
  INVALID_CONTINUATION_STATE: {
    http: 400,
    exit: 4,
    about: "The state to continue as new with cannot be written as JSON.",
  },
  DB_MISSING_COLUMNS: { http: 500, exit: 4, about: "An output table no longer fits its schema." },
  RUN_OWNER_ALIVE: { http: 409, exit: 1, about: "Another living process owns the run." },
  RUN_CLAIM_LOST: { http: 409, exit: 1, about: "Another process took the run over; this one may not record." },
  RESUME_METADATA_MISMATCH: {
    http: 409,
    exit: 4,
    about: "The workflow, its input or its folder changed since the start.",
  },
  SNAPSHOT_NOT_FOUND: { http: 404, exit: 1, about: "The run has no such frame, or no files were recorded there." },
  BUSY: { http: 409, exit: 1, about: "Another rewind of this run is under way." },
  REWIND_FAILED: {
    http: 500,
    exit: 1,
    about: "A rewind failed and not everything could be put back; the audit says what.",
  },
  AUTO_RESUME_GAVE_UP: {
    http: 409,
    exit: 1,
    about: "Supervisors failed to resume the run too often; a person has to look.",
  },
  INTERNAL: { http: 500, exit: 1, about: "A bug. The log line carries the trace." },
} as const satisfies Record<string, { http: number; exit: number; about: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** Where every code is explained, in this repository. */
export const ERROR_REFERENCE_URL = "docs/errors.md";

export interface SmoothErrorOptions {
  readonly cause?: unknown;
  /** Plain data for machines: ids, limits, field names. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The only error that leaves a room or a process. Message = the thing, the value, the way out. */
export class SmoothError extends Error {
  override readonly name = "SmoothError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, { cause, details = {} }: SmoothErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  /** What workflow authors know the message by. */
  get summary(): string {
    return this.message;
  }

  get docsUrl(): string {
    return ERROR_REFERENCE_URL;
  }

  /** What crosses the wire. */
  toJSON(): { code: ErrorCode; message: string; details: Readonly<Record<string, unknown>> } {
    return { code: this.code, message: this.message, details: this.details };
  }
}

/** Unknown throwables become INTERNAL; their text stays out of the answer. */
export function toSmoothError(error: unknown): SmoothError {
  if (error instanceof SmoothError) return error;
  return new SmoothError("INTERNAL", "something went wrong on our side", { cause: error });
}

export function assertNever(value: never): never {
  throw new TypeError(`unexpected variant: ${JSON.stringify(value)}`);
}
