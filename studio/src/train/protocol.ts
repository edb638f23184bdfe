// What the page and the thread that trains say to each other.

/** One run. */
export interface TrainRequest {
  readonly kind: 'start';
  readonly text: string;
  /** Keys of config.json that differ from the small model of the page. */
  readonly model: Readonly<Record<string, unknown>>;
  readonly steps: number;
  readonly seed: number;
  readonly backend: 'wasm' | 'webgpu';
  /** A model directory to go on from: weights, and its tokenizer. */
  readonly from?: ModelFiles;
}

/** The files of a model directory, or of a run that was stopped, by name. */
export type ModelFiles = Readonly<Record<string, ArrayBuffer>>;

export type ToThread =
  | TrainRequest
  | { readonly kind: 'stop' }
  | { readonly kind: 'write'; readonly prompt: string }
  | { readonly kind: 'save' };

export type FromThread =
  | {
      readonly kind: 'ready';
      readonly parameters: number;
      /** For example `ort-web-wasm-2`. */
      readonly executor: string;
      readonly seconds: number;
      /** Steps done before, when a run goes on. */
      readonly step: number;
    }
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly loss: number;
      readonly smoothed: number;
      readonly tokensPerSecond: number;
      readonly valid?: number;
    }
  | { readonly kind: 'text'; readonly text: string; readonly done: boolean }
  | { readonly kind: 'saved'; readonly files: ModelFiles }
  | { readonly kind: 'end'; readonly step: number; readonly valid: number; readonly stopped: boolean }
  | { readonly kind: 'fault'; readonly message: string; readonly hint?: string };
