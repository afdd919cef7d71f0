import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { SmoothError } from "@smooth/protocol/errors";

/** JSON in, within a size. An empty body is `{}`: many methods take nothing. */

export const limitBody = (maxSize: number): ReturnType<typeof bodyLimit> =>
  bodyLimit({
    maxSize,
    onError: () => {
      throw new SmoothError("PAYLOAD_TOO_LARGE", `the body is over ${maxSize} bytes`, { details: { maxSize } });
    },
  });

export async function readJson(c: Context): Promise<unknown> {
  const text = await c.req.text();
  if (text === "") return {};
  const type = c.req.header("content-type") ?? "";
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new SmoothError("UNSUPPORTED_MEDIA_TYPE", `the body is ${type || "untyped"}; send application/json`);
  }
  return parseJson(text, "the body");
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SmoothError("INVALID_INPUT", `${what} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}
