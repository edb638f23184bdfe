// Pictures and sounds in the text of a language model.
export { encodeClips, encodeImages, softProgram, type SoftShape } from './encoders.ts';
export {
  audioRows,
  createMixedEncoder,
  encodeMixed,
  type MixedEncoder,
  type MixedPart,
  type MixedPrompt,
  type MixedText,
  readMixed,
} from './mixed-prompt.ts';
export { placesIn, softFeeds } from './feeds.ts';
export { type GivenParts, placeParts } from './place-parts.ts';
export * from './train-mixed.ts';
