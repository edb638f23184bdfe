// Where sound comes from: the microphone as it is spoken, or a file that the browser can decode, played to the server faster than life.

/** Sound that is under way. */
export interface Source {
  /** Resolved when the sound has ended or was stopped. */
  readonly done: Promise<void>;
  stop(): void;
}

const PIECE_SECONDS = 0.2;
/** A file is sent at this many times its speed, so that the words can be seen coming. */
const FILE_SPEED = 2;

/**
 * @param onPiece gets samples of one channel and their rate, in order
 * @throws DOMException when the microphone is refused
 */
export async function openMicrophone(onPiece: (samples: Float32Array, rate: number) => void): Promise<Source> {
  const media = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  const context = new AudioContext();
  const input = context.createMediaStreamSource(media);
  // A worklet would need a module from the server; this old node needs none and every browser has it.
  const tap = context.createScriptProcessor(4096, 1, 1);
  let end: () => void = () => undefined;
  const done = new Promise<void>((resolve) => (end = resolve));
  tap.onaudioprocess = (event) => onPiece(event.inputBuffer.getChannelData(0).slice(), context.sampleRate);
  input.connect(tap);
  tap.connect(context.destination);
  return {
    done,
    stop() {
      tap.onaudioprocess = null;
      input.disconnect();
      for (const track of media.getTracks()) track.stop();
      if (context.state !== 'closed') void context.close();
      end();
    },
  };
}

/** @throws DOMException when the browser cannot decode the file */
export async function openFile(
  file: Blob,
  onPiece: (samples: Float32Array, rate: number) => Promise<void>,
): Promise<Source> {
  const context = new OfflineAudioContext(1, 1, 16_000);
  const sound = await context.decodeAudioData(await file.arrayBuffer());
  const samples = new Float32Array(sound.length);
  for (let c = 0; c < sound.numberOfChannels; c++) {
    sound.getChannelData(c).forEach((x, i) => (samples[i]! += x / sound.numberOfChannels));
  }
  const stop = new AbortController();
  const size = Math.round(PIECE_SECONDS * sound.sampleRate);
  const run = async (): Promise<void> => {
    for (let at = 0; at < samples.length && !stop.signal.aborted; at += size) {
      await onPiece(samples.subarray(at, at + size), sound.sampleRate);
      await new Promise((resolve) => setTimeout(resolve, (1000 * PIECE_SECONDS) / FILE_SPEED));
    }
  };
  return {
    done: run(),
    stop: () => stop.abort(),
  };
}
