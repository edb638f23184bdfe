// Types of control.mjs.
export const PENDING: 0;
export const DONE: 1;
export const PROGRAM: 2;
export const POSITION: 3;
export const LENGTH: 4;
export const FAILED: 5;
export const START: 6;
