import { SmoothError } from "@smooth/protocol/errors";

const MAX_RESPONSE_BYTES = 50_000_000;

/** fetch, but the answer has an end. */
export const boundedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (!response.body) return response;
  let bytes = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes <= MAX_RESPONSE_BYTES) controller.enqueue(chunk);
      else controller.error(new SmoothError("PROVIDER_FAILED", `the answer has over ${MAX_RESPONSE_BYTES} bytes`));
    },
  });
  return new Response(response.body.pipeThrough(counted), response);
};
