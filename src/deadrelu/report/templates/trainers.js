// Train up to four networks at once with the programs of src/deadrelu/engine, compiled to WebAssembly. JavaScript lays out
// the memory, passes addresses and reads results; the programs do the training and the predictions.
"use strict";
var deadreluEngine = (() => {
  const f = Math.fround, LANES = 4, SIDE_BY_SIDE = 4, MOST_INPUTS = 64;
  const modules = new Map(), memories = [], zeros = new WeakMap();
  let programs = {};

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  // Store the programs, base64 by name, and return whether this browser can run the first of them.
  function load(compiled) {
    programs = compiled;
    const first = Object.values(programs)[0];
    return typeof WebAssembly === "object" && first !== undefined && WebAssembly.validate(bytes(first));
  }
  // Compile the program for these sizes; if there is none or `general` is true, that for any size, with readable units.
  function compiled({ sizes, activation, biases }, general) {
    const any = activation + (biases ? "-biases" : ""), own = `${any} ${sizes.join("-")}`;
    const name = own in programs && !general ? own : any;
    if (!modules.has(name)) modules.set(name, WebAssembly.compile(bytes(programs[name])));
    return modules.get(name);
  }

  // Return each layer's sizes and offsets. Weights are in the order of Keras's get_weights, units from input to output.
  function layersOf({ sizes, biases }) {
    const layers = [];
    let [weight, unit] = [0, 0];
    for (let k = 0; k + 1 < sizes.length; k++) {
      const [fanIn, fanOut] = [sizes[k], sizes[k + 1]], bias = weight + fanIn * fanOut;
      layers.push({ fanIn, fanOut, kernel: weight, bias, inputs: unit, outputs: unit + fanIn });
      weight = bias + (biases ? fanOut : 0);
      unit += fanIn;
    }
    return layers;
  }
  const countWeights = ({ sizes, biases }) =>
    sizes.slice(1).reduce((sum, fanOut, k) => sum + fanOut * (sizes[k] + (biases ? 1 : 0)), 0);

  // Train up to four networks. `network`: sizes, activation, slope, biases; `training`: batchSize, rate, optimizer ("sgd",
  // else Adam); `initial`: weights of each network; x and y: one row per point; `orders`: for each network, a permutation of
  // the points that the rows of each epoch index. Without `orders`, the networks can predict but must not be trained.
  class Trainers {
    static async of(network, training, initial, x, y, orders = null, general = false) {
      const module = await compiled(network, general), memory = memories.pop() || new WebAssembly.Memory({ initial: 1 });
      const { exports } = await WebAssembly.instantiate(module, { env: { __linear_memory: memory } });
      return new Trainers(exports, memory, network, training, initial, x, y, orders);
    }

    constructor(programs, memory, network, training, initial, x, y, orders) {
      Object.assign(this, { programs, memory, network, training, x });
      [this.inputsPerPoint, this.outputsPerPoint] = [network.sizes[0], network.sizes[network.sizes.length - 1]];
      this.n = x.length / this.inputsPerPoint;
      this.layers = layersOf(network);
      this.networks = initial.length;
      this.nWeights = countWeights(network);
      this.size = Math.min(training.batchSize, this.n);
      this.steps = Math.ceil(this.n / this.size);
      this.powers = [1, 1];
      const units = network.sizes.reduce((a, b) => a + b), scratch = units * SIDE_BY_SIDE * LANES;
      const weights = this.nWeights * LANES, most = Math.max(this.n, MOST_INPUTS);
      this.layOut([
        ...["weights", "gradient", "mean", "square"].map((name) => [name, Float32Array, weights]),
        ["loss", Float32Array, LANES],
        ...["preactivations", "signals", "deltas"].map((name) => [name, Float32Array, scratch]),
        ["table", Float32Array, this.n * (this.inputsPerPoint + this.outputsPerPoint) * LANES],
        ["rows", Int32Array, this.n],
        ["starts", BigInt64Array, this.steps + 1],
        ["sizes", Float32Array, this.steps],
        ["rates", Float32Array, this.steps],
        ["epochs", BigInt64Array, this.steps], // 0 for all steps: a call trains within one epoch
        ["layerTable", BigInt64Array, 6 * this.layers.length],
        ["stop", Int32Array, 1],
        ["slope", Float32Array, 1],
        ["inputs", Float32Array, most * this.inputsPerPoint],
        ["outputs", Float32Array, most * this.outputsPerPoint * LANES],
      ]);
      for (let k = 0; k < this.nWeights; k++)
        for (let lane = 0; lane < LANES; lane++) this.weights[k * LANES + lane] = initial[this.own(lane)][k];
      for (let lane = 0; orders && lane < LANES; lane++) {
        const order = orders[this.own(lane)], { table, inputsPerPoint: wide, outputsPerPoint: out } = this;
        for (let p = 0, to = lane; p < this.n; p++) {
          for (let i = 0; i < wide; i++, to += LANES) table[to] = x[order[p] * wide + i];
          for (let j = 0; j < out; j++, to += LANES) table[to] = y[order[p] * out + j];
        }
      }
      for (let step = 0; step < this.steps; step++) {
        this.starts[step] = BigInt(step * this.size);
        this.sizes[step] = Math.min(this.size, this.n - step * this.size);
      }
      this.starts[this.steps] = BigInt(this.n);
      this.layers.forEach(({ fanIn, fanOut, kernel, bias, inputs, outputs }, k) =>
        this.layerTable.set([fanIn, fanOut, kernel, bias, inputs, outputs].map(BigInt), 6 * k),
      );
      this.slope[0] = network.slope || 0;
    }
    own(lane) {
      return lane < this.networks ? lane : 0; // unused lanes repeat the first network
    }

    // Create arrays of zeros as properties, one after another in the memory, each at a multiple of 64 bytes.
    layOut(arrays) {
      let end = 1024;
      const at = arrays.map(([, kind, length]) => {
        const begin = end;
        end = Math.ceil((begin + length * kind.BYTES_PER_ELEMENT) / 64) * 64;
        return begin;
      });
      const missing = end - this.memory.buffer.byteLength;
      if (missing > 0) this.memory.grow(Math.ceil(missing / 65536));
      new Uint8Array(this.memory.buffer, 0, end).fill(0);
      arrays.forEach(([name, kind, length], k) => (this[name] = new kind(this.memory.buffer, at[k], length)));
    }
    // Give the memory to other networks. This object must not be used afterwards.
    release() {
      memories.push(this.memory);
    }
    run(program, names, first, end) {
      const all = [...names, "layerTable", "stop", "slope"].map((name) => this[name].byteOffset);
      this.programs[program](...all, BigInt(first), BigInt(end), BigInt(this.nWeights), BigInt(this.layers.length));
    }

    startEpoch(rows) {
      this.loss.fill(0);
      this.rows.set(rows);
      this.rates.set(this.ratesOfEpoch());
    }
    // Return each step's rate. Adam's is bias-corrected; powers of the betas are float64 running products, then rounded.
    ratesOfEpoch() {
      if (this.training.optimizer === "sgd") return new Float32Array(this.steps).fill(this.training.rate);
      const rate = f(this.training.rate), betas = [f(0.9), f(0.999)], running = [1, 1], rates = new Float32Array(this.steps);
      for (let step = 0; step < this.steps; step++) {
        const power = betas.map((beta, k) => f((running[k] *= beta) * this.powers[k]));
        rates[step] = f(f(rate * f(Math.sqrt(f(1 - power[1])))) / f(1 - power[0]));
      }
      this.powers = this.powers.map((power, k) => running[k] * power);
      return rates;
    }
    batches(first, end) {
      const names = ["weights", "gradient", "mean", "square", "loss", "preactivations", "signals", "deltas"];
      this.run("train", [...names, "table", "rows", "starts", "sizes", "rates", "epochs"], first, end);
    }
    // Return each network's loss in an epoch as Keras reports it: the mean over the points while the weights change.
    losses() {
      return Array.from({ length: this.networks }, (_, lane) => f(this.loss[lane] / f(this.n)));
    }
    epoch(rows) {
      this.startEpoch(rows);
      this.batches(0, this.steps);
      return this.losses();
    }

    weightsOf(lane) {
      return Float32Array.from({ length: this.nWeights }, (_, k) => this.weights[k * LANES + lane]);
    }
    // Set the weights of every network to these.
    setWeights(weights) {
      for (let k = 0; k < this.nWeights; k++) this.weights.fill(weights[k], k * LANES, (k + 1) * LANES);
    }
    // Return each network's outputs, a Float32Array, at inputs of at most max(n, MOST_INPUTS) points.
    predict(x = this.x) {
      const n = x.length / this.inputsPerPoint;
      this.inputs.set(x);
      this.run("predict", ["weights", "outputs", "preactivations", "signals", "deltas", "inputs"], 0, n);
      return Array.from({ length: this.networks }, (_, lane) => {
        const predictions = new Float32Array(n * this.outputsPerPoint);
        for (let p = 0; p < predictions.length; p++) predictions[p] = this.outputs[p * LANES + lane];
        return predictions;
      });
    }
    // Return the outputs ("signals") or "preactivations" of all units of the first network, a Float32Array for each point of
    // `x`. The network must have one input and run the program for any size.
    units(x, what = "signals") {
      const count = this.network.sizes.reduce((a, b) => a + b);
      this.inputs.set(x);
      return Array.from(x, (_, p) => {
        this.run("predict", ["weights", "outputs", "preactivations", "signals", "deltas", "inputs"], p, p + 1);
        return Float32Array.from({ length: count }, (_, u) => this[what][u * LANES]);
      });
    }
    // Return a mask of the units of the first network that are 0 on all points, a Uint8Array of 0 and 1.
    silentUnits() {
      const silent = new Uint8Array(this.network.sizes.reduce((a, b) => a + b)).fill(1);
      for (const signals of this.units(this.x)) signals.forEach((signal, u) => signal !== 0 && (silent[u] = 0));
      return silent;
    }
    // Return a mask of the networks that no step can change: ReLU, no biases, and the last hidden layer is 0 on all points.
    areStuck() {
      const { activation, biases } = this.network;
      if (activation !== "relu" || biases) return new Array(this.networks).fill(false);
      this.inputs.set(this.x);
      this.outputs.fill(0, 0, LANES);
      this.run("count_active", ["weights", "outputs", "preactivations", "signals", "deltas", "inputs"], 0, this.n);
      return Array.from({ length: this.networks }, (_, lane) => this.outputs[lane] === 0);
    }
  }

  // Return the mean squared error of predicting 0. Terms are float32; their halves are added in float64 until one is left.
  function lossOfZero(y) {
    if (zeros.has(y)) return zeros.get(y);
    let terms = Float64Array.from(y, (value) => f(f(0 - value) * f(0 - value)));
    const n = terms.length;
    while (terms.length > 1) {
      const half = Math.floor(terms.length / 2), sums = new Float64Array(Math.ceil(terms.length / 2));
      for (let k = 0; k < half; k++) sums[k] = terms[k] + terms[half + k];
      if (terms.length % 2) sums[half] = terms[2 * half];
      terms = sums;
    }
    zeros.set(y, f(terms[0] / n));
    return zeros.get(y);
  }

  // Train networks. `order(k)` permutes the points for network k; all networks visit theirs in the order `rows(epoch)`.
  // Return { initial, final, loss, before, after, curve } of each: weights, losses, predictions before and after training,
  // and final predictions at the inputs `xs`. Networks that no step can change are not trained.
  async function trials(network, training, initial, x, y, order, rows, epochs, xs = new Float32Array(0)) {
    const living = [], zero = lossOfZero(y), groups = (all) => Array.from({ length: Math.ceil(all.length / LANES) }, (_, g) => all.slice(g * LANES, (g + 1) * LANES));
    const results = initial.map((weights) => ({ initial: weights, final: weights, loss: new Float32Array(epochs).fill(zero) }));
    for (const own of groups([...initial.keys()])) {
      const trainers = await Trainers.of(network, training, own.map((k) => initial[k]), x, y);
      const stuck = trainers.areStuck(), before = trainers.predict(), curves = trainers.predict(xs);
      own.forEach((k, lane) => Object.assign(results[k], { before: before[lane], after: before[lane], curve: curves[lane] }));
      living.push(...own.filter((_, lane) => !stuck[lane]));
      trainers.release();
    }
    for (const own of groups(living)) {
      const trainers = await Trainers.of(network, training, own.map((k) => initial[k]), x, y, own.map(order));
      for (let epoch = 0; epoch < epochs; epoch++)
        trainers.epoch(rows(epoch)).forEach((loss, lane) => (results[own[lane]].loss[epoch] = loss));
      const after = trainers.predict(), curves = trainers.predict(xs);
      own.forEach((k, lane) => Object.assign(results[k], { final: trainers.weightsOf(lane), after: after[lane], curve: curves[lane] }));
      trainers.release();
    }
    return results;
  }

  return { LANES, bytes, load, Trainers, trials, countWeights, layersOf };
})();
