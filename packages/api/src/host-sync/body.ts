import { SmoothError } from "@smooth/protocol/errors";
import type { z } from "zod";

/** One JSON body, read at most to its limit and parsed once. */

export interface BodyRule<S extends z.ZodType> {
  readonly schema: S;
  readonly maxBytes: number;
}

export async function readBody<S extends z.ZodType>(
  request: Request,
  { schema, maxBytes }: BodyRule<S>,
): Promise<z.output<S>> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") throw new SmoothError("UNSUPPORTED_MEDIA_TYPE", "send application/json");
  const parsed = schema.safeParse(parseJson(await readText(request, maxBytes)));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 10).map(({ path, message }) => ({ path: path.join("."), message }));
  throw new SmoothError("INVALID_INPUT", `${issues[0]?.path || "the body"}: ${issues[0]?.message}`, {
    details: { issues },
  });
}

/** What the header promises is not trusted: the bytes are counted. */
async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = new SmoothError("PAYLOAD_TOO_LARGE", `the body is over ${maxBytes} bytes`, {
    details: { maxBytes },
  });
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge;
  const decoder = new TextDecoder();
  let sizeBytes = 0;
  let text = "";
  for await (const chunk of request.body ?? []) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) throw tooLarge;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SmoothError("INVALID_INPUT", "the body is not JSON", { cause });
  }
}
