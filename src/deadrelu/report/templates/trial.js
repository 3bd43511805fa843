// Functions for the workers: draw networks and points, train them with the programs of trainers.js, and classify outcomes.
"use strict";
var deadreluTrial = (() => {
  const f = Math.fround;
  const TARGETS = {
    x_sin_x: { of: (x) => x * Math.sin(x), end: Math.sqrt(7) },
    abs_x: { of: Math.abs, end: Math.sqrt(3) },
    x_sin_5x: { of: (x) => x * Math.sin(5 * x), end: Math.sqrt(3) },
    step_sin_5x: { of: (x) => (x > 0 ? 1 : 0) + 0.2 * Math.sin(5 * x), end: Math.sqrt(3) },
  };

  const ACTIVATIONS = ["relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid"];
  const OUTCOMES = [
    ["born_dead", "dead at initialization"],
    ["died", "died in training"],
    ["stayed_within", "within the tolerance before and after"],
    ["became_within", "became constant within the tolerance"],
    ["one_sided", "constant on one side of 0"],
    ["alive", "alive"],
    ["diverged", "diverged"],
  ];
  const CONSTANT = ["born_dead", "died", "stayed_within", "became_within"];

  // Return a function that draws from [0, 1): Chris Doty-Humphrey's sfc32, 4 rounds after each part of `key` and 12 more.
  function randomNumbers(...key) {
    let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1];
    function next() {
      const sum = (a + b + counter++) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = ((c << 21) | (c >>> 11)) + sum;
      return (sum >>> 0) / 4294967296;
    }
    for (const part of key) {
      [a, b] = [a ^ part, (b + Math.imul(part + 1, 0x85ebca6b)) | 0];
      for (let k = 0; k < 4; k++) next();
    }
    for (let k = 0; k < 12; k++) next();
    return next;
  }
  function normal(random) {
    return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  }
  function cutNormal(random) {
    for (;;) {
      const z = normal(random);
      if (Math.abs(z) <= 2) return z;
    }
  }

  // Return initial weights, a Float32Array in the order of Keras's get_weights. The formulas are from Keras and Lu et al.
  function draw({ sizes, biases }, initializer, random) {
    const weights = [];
    for (let k = 0; k + 1 < sizes.length; k++) {
      const [fanIn, fanOut] = [sizes[k], sizes[k + 1]];
      if (initializer === "rai") {
        const rows = Array.from({ length: fanIn + 1 }, () =>
          Array.from({ length: fanOut }, () => (0.6007 / Math.sqrt(fanIn)) * normal(random)),
        );
        for (let j = 0; j < fanOut; j++) rows[Math.floor(random() * (fanIn + 1))][j] = Math.sqrt(random());
        weights.push(...rows.flat());
        continue;
      }
      const limit = Math.sqrt(6 / (fanIn + fanOut)), stddev = Math.sqrt(2 / fanIn) / 0.8796256610342398;
      for (let i = 0; i < fanIn * fanOut; i++)
        weights.push(initializer === "he_normal" ? stddev * cutNormal(random) : limit * (2 * random() - 1));
      if (biases) weights.push(...new Array(fanOut).fill(0));
    }
    return Float32Array.from(weights);
  }

  function sizesOf({ depth, width, narrow }) {
    return [1, ...Array.from({ length: depth }, (_, k) => (narrow && depth > 1 && k === 0 ? 1 : width)), 1];
  }
  function network(settings) {
    return { sizes: sizesOf(settings), activation: settings.activation, slope: settings.slope, biases: settings.biases };
  }
  const drawn = new Map();
  function pointsOf({ target, seed, points }) {
    const key = [target, seed, points].join();
    if (!drawn.has(key)) {
      const { of, end } = TARGETS[target], random = randomNumbers(seed, 0);
      const x = Float32Array.from({ length: points }, () => end * (2 * random() - 1));
      drawn.clear();
      drawn.set(key, { x, y: Float32Array.from(x, of) });
    }
    return drawn.get(key);
  }
  function shuffled(n, random) {
    const order = Int32Array.from({ length: n }, (_, k) => k);
    for (let k = n - 1; k > 0; k--) {
      const j = Math.floor(random() * (k + 1));
      [order[k], order[j]] = [order[j], order[k]];
    }
    return order;
  }
  const NETWORKS_PER_TASK = 16;
  // Return the initial state and the shuffles of networks `numbers`, at most NETWORKS_PER_TASK. As in the pipeline, each has
  // its own order of the points, which all rearrange in the same way in each epoch (src/deadrelu/engine/shuffles.py).
  function started(settings, numbers) {
    const { x, y } = pointsOf(settings), about = network(settings), training = { batchSize: settings.batch, rate: settings.rate };
    const randoms = numbers.map((k) => randomNumbers(settings.seed, 1, k));
    const initial = randoms.map((random) => draw(about, settings.initializer, random));
    const order = (k) => shuffled(x.length, randomNumbers(settings.seed, 3, numbers[k])), kept = [];
    const task = Math.floor(numbers[0] / NETWORKS_PER_TASK);
    const rows = (epoch) => (kept[epoch] ??= shuffled(x.length, randomNumbers(settings.seed, 2, task, epoch)));
    return { about, training, initial, x, y, order, rows };
  }

  // Return the range of the values (maximum minus minimum) at all inputs, at those below 0 and at those above 0.
  function ranges(values, xs) {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (let k = 0; k < values.length; k++) {
      const value = values[k], side = xs[k] < 0 ? 1 : xs[k] > 0 ? 2 : 0;
      for (let at = 0; ; at = side) {
        if (value < low[at]) low[at] = value;
        if (value > high[at]) high[at] = value;
        if (at === side) break;
      }
    }
    return high.map((most, at) => most - low[at]);
  }
  // Return the outcome, a key of OUTCOMES, by the pipeline's criteria: see src/deadrelu/analysis/outcomes.py.
  function outcomeOf(before, after, xs, tolerance) {
    if (!after.every(Number.isFinite)) return "diverged";
    const [first] = ranges(before, xs), [last, ...sides] = ranges(after, xs);
    if (last === 0) return first === 0 ? "born_dead" : "died";
    if (last <= tolerance) return first <= tolerance ? "stayed_within" : "became_within";
    const both = sides.every((range) => range >= 0); // a range is -Infinity where no input lies on that side
    return both && sides.some((range) => range <= tolerance) ? "one_sided" : "alive";
  }

  const CURVE = 41;
  const grid = (target) => Float32Array.from({ length: CURVE }, (_, k) => TARGETS[target].end * ((2 * k) / (CURVE - 1) - 1));

  // Return the mean squared error in float64.
  function lossOf(predictions, y) {
    let sum = 0;
    for (let p = 0; p < y.length; p++) sum += (predictions[p] - y[p]) ** 2;
    return sum / y.length;
  }
  function bestConstant(y) {
    let sum = 0;
    for (let p = 0; p < y.length; p++) sum += y[p];
    return lossOf(new Float64Array(y.length).fill(sum / y.length), y);
  }

  // Train networks `numbers` of one task. Return { k, outcome, curve, fits } of each, with final predictions on the grid.
  async function run(settings, numbers) {
    const { about, training, initial, x, y, order, rows } = started(settings, numbers), xs = grid(settings.target);
    const results = await deadreluEngine.trials(about, training, initial, x, y, order, rows, settings.epochs, xs);
    const constant = bestConstant(y);
    return results.map(({ before, after, curve }, at) => {
      const outcome = outcomeOf(before, after, x, settings.tolerance);
      return { k: numbers[at], outcome, curve, fits: lossOf(after, y) < constant / 2 };
    });
  }

  // Train trials of the tables, all of one block, with the pipeline's initial weights and orders of the points.
  async function ofTables({ sizes, activation, slope, biases, batch, rate, epochs }, { x, y, tolerance }, seed, numbers) {
    const { left, right, glorot } = deadreluStreams, n = x.length;
    const rows = (epoch) => left(n, seed, numbers[0], epoch), order = (k) => right(n, seed, numbers[k]);
    const initial = numbers.map((trial) => glorot(seed, trial, sizes));
    const results = await deadreluEngine.trials({ sizes, activation, slope, biases }, { batchSize: batch, rate }, initial, x, y, order, rows, epochs);
    return results.map(({ initial, final, loss, before, after }, at) => {
      return { trial: numbers[at], initial, final, loss, outcome: outcomeOf(before, after, x, tolerance) };
    });
  }

  // Return the settings, completed by `defaults`; throw a RangeError if one is not allowed.
  function checked(given, defaults) {
    const settings = { ...defaults, ...given };
    if (!(settings.target in TARGETS)) throw new RangeError(`target: received ${settings.target}`);
    if (!ACTIVATIONS.includes(settings.activation)) throw new RangeError(`activation: received ${settings.activation}`);
    for (const [name, low, high] of [["depth", 1, 30], ["width", 1, 30], ["epochs", 1, 1000], ["points", 1, 1e6], ["rate", 1e-5, 10]])
      if (!(settings[name] >= low && settings[name] <= high)) throw new RangeError(`${name}: received ${settings[name]}; expected: ${low} to ${high}`);
    return settings;
  }

  return { TARGETS, OUTCOMES, CONSTANT, CURVE, grid, run, ofTables, NETWORKS_PER_TASK, started, outcomeOf, lossOf, bestConstant, checked, sizesOf };
})();

// Run in a worker: each message names a function of deadreluTrial and its arguments; results are sent in the same order.
var deadreluWorker = () => {
  let last = Promise.resolve();
  self.onmessage = ({ data: { programs, name, given, id } }) => {
    if (programs) return deadreluEngine.load(programs);
    last = last.then(async () => self.postMessage({ id, results: await deadreluTrial[name](...given) }));
    last.catch((error) => setTimeout(() => { throw error; })); // report it to the page as an error of the worker
  };
};
