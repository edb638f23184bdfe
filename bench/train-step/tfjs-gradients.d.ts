// The package has no types for this side effect.
declare module '@tensorflow/tfjs-core/dist/register_all_gradients';
