export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** As a store holds it: limits are in bytes, and most letters of the world take more than one. */
export const sizeOf = (text: string): number => new TextEncoder().encode(text).length;
