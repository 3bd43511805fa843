// Reproduce the pipeline's random numbers from its seed: NumPy's SeedSequence and PCG64 in integer arithmetic, and the draws
// of src/deadrelu/streams.py, engine/shuffles.py and engine/initializers.py.
"use strict";
var deadreluStreams = (() => {
  const WEIGHTS = 2, ORDER = 3, LEFT = 0, RIGHT = 1, BLOCK = 512, DRAWN_TOGETHER = 128;
  const MASK_64 = (1n << 64n) - 1n, MASK_128 = (1n << 128n) - 1n, MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

  // Return eight 32-bit words mixed from a seed and a key, as NumPy's SeedSequence does (Melissa O'Neill's seed_seq).
  function seedWords(seed, key) {
    const entropy = [];
    for (let rest = BigInt(seed); rest > 0n || !entropy.length; rest >>= 32n) entropy.push(Number(rest & 0xffffffffn));
    while (entropy.length < 4) entropy.push(0);
    entropy.push(...key);
    let hash = 0x43b0d7e5;
    const stirred = (value) => {
      value ^= hash;
      hash = Math.imul(hash, 0x931e8875);
      value = Math.imul(value, hash);
      return value ^ (value >>> 16);
    };
    const mixed = (a, b) => {
      const value = Math.imul(0xca01f9dd, a) - Math.imul(0x4973f715, b);
      return value ^ (value >>> 16);
    };
    const pool = entropy.slice(0, 4).map(stirred);
    for (let from = 0; from < 4; from++)
      for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mixed(pool[to], stirred(pool[from]));
    for (const word of entropy.slice(4)) for (let to = 0; to < 4; to++) pool[to] = mixed(pool[to], stirred(word));
    hash = 0x8b51f9dd;
    return Array.from({ length: 8 }, (_, k) => {
      let value = pool[k % 4] ^ hash;
      hash = Math.imul(hash, 0x58f38ded);
      value = Math.imul(value, hash);
      return (value ^ (value >>> 16)) >>> 0;
    });
  }

  // Return functions that draw as numpy.random.default_rng(SeedSequence(seed, spawn_key=key)) does.
  function stream(seed, ...key) {
    const words = seedWords(seed, key).map(BigInt), long = (k) => (words[2 * k + 1] << 32n) | words[2 * k];
    const increment = (((long(2) << 64n) | long(3)) << 1n) & MASK_128 | 1n;
    let state = (increment + ((long(0) << 64n) | long(1))) & MASK_128, half = null;
    const step = () => (state = (state * MULTIPLIER + increment) & MASK_128);
    step();
    function next64() {
      step();
      const word = (state >> 64n) ^ (state & MASK_64), turn = state >> 122n;
      return ((word >> turn) | (word << (64n - turn))) & MASK_64;
    }
    function next32() {
      if (half !== null) {
        const kept = half;
        half = null;
        return kept;
      }
      const word = next64();
      half = Number(word >> 32n);
      return Number(word & 0xffffffffn);
    }
    // Return a random integer from 0 to `most` as NumPy's shuffles do: keep the bits `most` needs, redraw larger values.
    function upTo(most) {
      const mask = 2 ** (32 - Math.clz32(most)) - 1;
      for (;;) {
        const value = next32() & mask;
        if (value <= most) return value;
      }
    }
    return { random: () => Number(next64() >> 11n) / 9007199254740992, upTo };
  }

  function permutation(n, seed, ...key) {
    const { upTo } = stream(seed, ORDER, ...key), order = Uint16Array.from({ length: n }, (_, k) => k);
    for (let k = n - 1; k > 0; k--) {
      const j = upTo(k);
      [order[k], order[j]] = [order[j], order[k]];
    }
    return order;
  }
  const kept = new Map();
  function remembered(make, ...key) {
    const name = `${make.name} ${key}`;
    if (!kept.has(name)) kept.set(name, make(...key));
    return kept.get(name);
  }
  // Return the factors of the order right[left] in which a trial visits the points in an epoch (see engine/shuffles.py).
  const left = (n, seed, trial, epoch) => remembered(permutation, n, seed, LEFT, Math.floor(trial / BLOCK), epoch);
  const right = (n, seed, trial) => remembered(permutation, n, seed, RIGHT, trial % BLOCK);

  // Return the Glorot uniform weights, without biases, of a group of trials drawn together: one Float32Array per trial.
  function groupOfWeights(seed, group, ...sizes) {
    const { random } = stream(seed, WEIGHTS, group), parts = [];
    for (let k = 0; k + 1 < sizes.length; k++) {
      const end = Math.sqrt(1 / ((sizes[k] + sizes[k + 1]) / 2)) * Math.sqrt(3), count = sizes[k] * sizes[k + 1];
      parts.push(Array.from({ length: DRAWN_TOGETHER }, () => Array.from({ length: count }, () => -end + (end - -end) * random())));
    }
    return Array.from({ length: DRAWN_TOGETHER }, (_, trial) => Float32Array.from(parts.flatMap((part) => part[trial])));
  }
  const glorot = (seed, trial, sizes) =>
    remembered(groupOfWeights, seed, Math.floor(trial / DRAWN_TOGETHER), ...sizes)[trial % DRAWN_TOGETHER];

  return { stream, left, right, glorot };
})();
