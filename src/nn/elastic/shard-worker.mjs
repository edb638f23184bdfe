// A worker process of elastic.ts: computes the loss and gradients of one shard after another with the parameters it was sent
// last. Plain JavaScript, because it is started as it stands. Ends with its parent.
let session;
let parameters = {};
const module = await import('onnxruntime-node');
const ort = module.default ?? module;

process.on('disconnect', () => process.exit(0));
// Jobs run in the order they come in: a session is not entered twice.
let turn = Promise.resolve();
process.on('message', (message) => {
  turn = turn.then(() => handle(message)).catch((error) => process.send({ kind: 'failed', text: String(error) }));
});
process.send({ kind: 'loaded' });

async function handle(message) {
  if (message.kind === 'program') {
    session = await ort.InferenceSession.create(message.bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 4,
    });
    process.send({ kind: 'ready' });
  } else if (message.kind === 'parameters') {
    parameters = tensors(message.values);
  } else if (message.kind === 'shard') {
    const out = await session.run({ ...parameters, ...tensors(message.feeds) });
    const outputs = Object.fromEntries(Object.entries(out).map(([name, t]) => [name, t.data]));
    process.send({ kind: 'done', round: message.round, shard: message.shard, outputs });
  }
}

function tensors(values) {
  const type = (data) => (data instanceof Float32Array ? 'float32' : 'int32');
  return Object.fromEntries(
    Object.entries(values).map(([name, { data, shape }]) => [name, new ort.Tensor(type(data), data, shape)]),
  );
}
