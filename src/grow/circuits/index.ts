// Circuits that grow from what repeats in streams of symbols.
export { Circuit, type CircuitNode, type CircuitOptions, type CodeLength } from './circuit.ts';
export { type CodeKind } from './code.ts';
export { type Growth as CircuitGrowth } from './steps.ts';
export { antiUnify, type Symbol as CircuitSymbol, type Term as CircuitTerm, type Tree as TermTree } from './term.ts';
