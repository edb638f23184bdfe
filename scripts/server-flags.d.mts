// Types of server-flags.mjs.
export const serverFlags: readonly string[];
