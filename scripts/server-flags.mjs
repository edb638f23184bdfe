// How Node is started for a server. Every request makes some tens of kilobytes of short-lived objects: with the usual young generation
// it is collected many times a second, while answers wait; a larger one is collected less often and keeps less.
export const serverFlags = ['--min-semi-space-size=16', '--max-semi-space-size=64'];
