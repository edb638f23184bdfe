// Public names of spoken digits in the mind.
export {
  addSpeechModules,
  fitSpeechRouter,
  type Listener,
  type LiveListening,
  type LiveSize,
  openListener,
  type OpenListenerOptions,
} from './open.ts';
export { soundEncoder, spokenReader, type SpokenInput, type SpokenReading, TRANSCRIBE } from './spoken.ts';
