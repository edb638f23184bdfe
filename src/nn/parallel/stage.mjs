// A stage: compiled programs that read rows of a shared block of memory, write rows of it, and carry state from call to
// call. Plain JavaScript, because a worker thread loads it as it stands; types are in stage.d.mts.

const ARRAYS = { f32: Float32Array, i32: Int32Array };
const TYPES = { f32: 'float32', i32: 'int32' };

/** Compiles the programs of a stage with one thread inside an operator. */
export async function createStage(ort, spec, memory) {
  const sessions = [];
  for (const program of spec.programs) {
    sessions.push(
      program &&
        (await ort.InferenceSession.create(program.bytes, {
          executionProviders: ['cpu'],
          intraOpNumThreads: 1,
          interOpNumThreads: 1,
          graphOptimizationLevel: 'all',
          logSeverityLevel: 4,
          extra: {
            session: { intra_op: { allow_spinning: '0' } },
            ...(spec.optimization ? { optimization: spec.optimization } : {}),
          },
        })),
    );
  }
  const carried = new Map(); // by name
  const rooms = new Map(); // memory that carried states grow in, by name
  return {
    /** Runs program `which` for `length` positions from `position` on; at position 0 nothing is carried over. */
    async run(which, position, length) {
      const program = spec.programs[which];
      if (position === 0 && program.carries.length > 0) carried.clear();
      const inputs = {};
      for (const feed of program.feeds) inputs[feed.name] = readRows(ort, feed, memory, position, length);
      for (const c of program.carries) {
        if (c.input !== undefined) inputs[c.input] = carried.get(c.name) ?? empty(ort, c);
      }
      const out = await sessions[which].run(inputs);
      for (const f of program.fetches) {
        const at = f.offset + (f.perPosition ? 4 * f.width * (position + f.shift) : 0);
        new Float32Array(memory, at, out[f.name].data.length).set(out[f.name].data);
      }
      for (const c of program.carries) {
        if (c.fromSecond && position === 0 && length === 1) continue;
        const now = out[c.output];
        carried.set(c.name, c.fresh ? append(ort, c, inputs[c.input], now, rooms) : keepLast(ort, now, c));
      }
    },
    /** Bytes of the state that is carried. */
    bytes: () => [...carried.values()].reduce((n, t) => n + t.data.byteLength, 0),
    async dispose() {
      carried.clear();
      rooms.clear();
      for (const session of sessions) await session?.release();
    },
  };
}

/** Rows of the block as a tensor of its own: the runtime takes no shared memory. */
function readRows(ort, feed, memory, position, length) {
  const rows = feed.rows === 'last' ? 1 : feed.rows === 'earlier' ? length - 1 : length;
  const first = position + feed.shift + (feed.rows === 'last' ? length - 1 : 0);
  const at = feed.offset + 4 * feed.width * first;
  const data = new ARRAYS[feed.type](memory, at, rows * feed.width).slice();
  return new ort.Tensor(
    TYPES[feed.type],
    data,
    feed.shape.map((n) => (n < 0 ? rows : n)),
  );
}

/**
 * The entry `fresh` behind those of `old` along the axis, without the first one where there are `limit` already. In place: the
 * runtime copies whatever it returns into new memory, so it returns the new entry alone.
 */
function append(ort, { name, axis, limit }, old, fresh, rooms) {
  const entry = fresh.dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const outer = fresh.dims.slice(0, axis).reduce((n, d) => n * d, 1);
  const full = old.dims[axis] === limit;
  const had = old.dims[axis] * entry;
  const has = full ? had : had + entry;
  let room = rooms.get(name);
  if (!room || room.byteLength < 4 * outer * has) {
    room = new ArrayBuffer(8 * outer * has); // so that it grows a few times only
    rooms.set(name, room);
  }
  const data = new Float32Array(room, 0, outer * has);
  if (old.data.buffer !== room) {
    for (let o = 0; o < outer; o++) data.set(old.data.subarray((o + 1) * had - (has - entry), (o + 1) * had), o * has);
  } else if (full) {
    for (let o = 0; o < outer; o++) data.copyWithin(o * had, o * had + entry, (o + 1) * had);
  } else {
    // From the last one on, so that nothing is written over before it has moved.
    for (let o = outer - 1; o > 0; o--) data.copyWithin(o * has, o * had, (o + 1) * had);
  }
  for (let o = 0; o < outer; o++) data.set(fresh.data.subarray(o * entry, (o + 1) * entry), (o + 1) * has - entry);
  const dims = old.dims.map((d, i) => (i === axis && !full ? d + 1 : d));
  return new ort.Tensor('float32', data, dims);
}

/** Zeros of the given shape; nothing where a length is 0. */
function empty(ort, { empty: shape }) {
  const size = shape.reduce((n, d) => n * d, 1);
  return new ort.Tensor('float32', new Float32Array(size), shape);
}

/** The last `limit` entries along an axis, or everything. */
function keepLast(ort, t, { limit, axis }) {
  if (limit === undefined || t.dims[axis] <= limit) return t;
  const inner = t.dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const outer = t.dims.slice(0, axis).reduce((n, d) => n * d, 1);
  const data = new Float32Array(outer * limit * inner);
  for (let o = 0; o < outer; o++) {
    const end = (o + 1) * t.dims[axis] * inner;
    data.set(t.data.subarray(end - limit * inner, end), o * limit * inner);
  }
  return new ort.Tensor(
    'float32',
    data,
    t.dims.map((d, i) => (i === axis ? limit : d)),
  );
}
