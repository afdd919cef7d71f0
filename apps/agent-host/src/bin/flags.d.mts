export const START_FLAGS: readonly string[];
export const LATER_FLAGS: readonly string[];
