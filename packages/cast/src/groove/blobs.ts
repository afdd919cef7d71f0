/** Bytes by their SHA-256, outside every workspace. Putting the same bytes twice stores them once. */
export interface Blobs {
  /** Durable when it resolves. */
  put(bytes: Uint8Array): Promise<string>;
  /** Rejects when the bytes are missing or do not have this hash any more. */
  get(sha256: string): Promise<Uint8Array>;
}
