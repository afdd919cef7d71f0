export const START_FLAGS: readonly string[];
export const ENGINE_FLAGS: readonly string[];
