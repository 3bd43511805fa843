// The playground: trains networks with the arithmetic of engine.js, one before the reader's eyes or a hundred in workers,
// and proves that trials of the tables end with the same bits here. Its data are in the page.
"use strict";

// What a worker runs, too: drawing networks and points, training them, and what became of them.
var deadreluTrial = (() => {
  const f = Math.fround;
  const TARGETS = {
    x_sin_x: { of: (x) => x * Math.sin(x), end: Math.sqrt(7) },
    abs_x: { of: Math.abs, end: Math.sqrt(3) },
    x_sin_5x: { of: (x) => x * Math.sin(5 * x), end: Math.sqrt(3) },
    step_sin_5x: { of: (x) => (x > 0 ? 1 : 0) + 0.2 * Math.sin(5 * x), end: Math.sqrt(3) },
  };

  // Numbers in [0, 1) from a seed and a key: sfc32, by Chris Doty-Humphrey, after 15 rounds of mixing.
  function randomNumbers(...key) {
    let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1];
    function next() {
      const sum = (a + b + counter++) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = ((c << 21) | (c >>> 11)) + sum;
      return (sum >>> 0) / 4294967296;
    }
    for (const part of key) [a, b] = [a ^ part, (b + Math.imul(part + 1, 0x85ebca6b)) | 0];
    for (let k = 0; k < 15; k++) next();
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

  // Initial weights in the order of Keras's get_weights; the formulas are those of Keras and of Lu et al.
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
    return [1, ...Array.from({ length: depth }, (_, k) => (narrow && k === 0 ? 1 : width)), 1];
  }
  function network(settings) {
    return { sizes: sizesOf(settings), activation: settings.activation, slope: settings.slope, biases: settings.biases };
  }
  function pointsOf(settings) {
    const { of, end } = TARGETS[settings.target], random = randomNumbers(settings.seed, 0);
    const x = Float32Array.from({ length: settings.points }, () => end * (2 * random() - 1));
    return { x, y: Float32Array.from(x, of) };
  }
  function shuffled(n, random) {
    const order = Int32Array.from({ length: n }, (_, k) => k);
    for (let k = n - 1; k > 0; k--) {
      const j = Math.floor(random() * (k + 1));
      [order[k], order[j]] = [order[j], order[k]];
    }
    return order;
  }
  function trainer(settings, k) {
    const { x, y } = pointsOf(settings), random = randomNumbers(settings.seed, 1, k), about = network(settings);
    const training = { batchSize: settings.batch, rate: settings.rate, optimizer: "adam" };
    const initial = draw(about, settings.initializer, random);
    return { own: new deadreluEngine.Trainer(about, training, initial, x, y), random };
  }

  function spread(values, xs, wanted) {
    let [low, high] = [Infinity, -Infinity];
    for (let k = 0; k < values.length; k++) if (wanted(xs[k])) [low, high] = [Math.min(low, values[k]), Math.max(high, values[k])];
    return high - low;
  }
  // As in the pipeline: see src/deadrelu/analysis/outcomes.py.
  function outcomeOf(before, after, xs, tolerance) {
    const everywhere = () => true;
    if (!after.every(Number.isFinite)) return "diverged";
    const [first, last] = [before, after].map((values) => spread(values, xs, everywhere));
    if (last === 0) return first === 0 ? "born_dead" : "died";
    if (last <= tolerance) return first <= tolerance ? "stayed_within" : "became_within";
    const half = [(x) => x < 0, (x) => x > 0].some((side) => spread(after, xs, side) <= tolerance);
    return half ? "one_sided" : "alive";
  }

  const CURVE = 41;
  function curve(own, target) {
    const { end } = TARGETS[target];
    return own.predict(Float32Array.from({ length: CURVE }, (_, k) => end * ((2 * k) / (CURVE - 1) - 1)));
  }

  // Network number k of some settings: what became of it, and what it computes.
  function run(settings, k) {
    const { own, random } = trainer(settings, k), before = own.predict(own.x);
    if (!own.isStuck()) for (let epoch = 0; epoch < settings.epochs; epoch++) own.epoch(shuffled(own.n, random));
    return { k, outcome: outcomeOf(before, own.predict(own.x), own.x, settings.tolerance), curve: curve(own, settings.target) };
  }

  return { TARGETS, CURVE, run, trainer, shuffled, curve, network, outcomeOf };
})();

// In a worker: networks of some settings one after the other, or a trial of the tables.
var deadreluWorker = () => {
  self.onmessage = ({ data }) => {
    if (data.trial) self.postMessage(deadreluEngine.trial(...data.trial));
    else for (const k of data.numbers) self.postMessage(deadreluTrial.run(data.settings, k));
  };
};

if (typeof document !== "undefined" && document.getElementById("playground")) {
  const part = (id) => document.getElementById(id);
  const data = JSON.parse(part("playground-data").textContent), playground = part("playground");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const OUTCOMES = [
    ["born_dead", "dead at initialization"],
    ["died", "died in training"],
    ["stayed_within", "within the tolerance before and after"],
    ["became_within", "became constant within the tolerance"],
    ["one_sided", "constant on one side of 0"],
    ["alive", "alive"],
    ["diverged", "diverged"],
  ];

  // ---- workers: as many as there are cores, or none, and then this thread in turns -----------------------------------

  let address;
  function worker() {
    try {
      const sources = ["script-engine", "script-playground"].map((id) => part(id).textContent);
      address ??= `data:text/javascript,${encodeURIComponent(`${sources.join("\n")}\ndeadreluWorker();`)}`;
      return new Worker(address);
    } catch {
      return null; // this browser has none, or does not allow them here
    }
  }

  // Train networks `numbers`; `done` is called with each as it ends, and the promise holds when all have.
  function trainMany(settings, numbers, done, stopped = () => false) {
    const threads = Math.max(1, Math.min(navigator.hardwareConcurrency || 2, 8, numbers.length));
    const waiting = new Set(numbers);
    const finish = (result) => waiting.delete(result.k) && done(result);
    const here = async (own) => {
      for (const k of own)
        if (waiting.has(k) && !stopped()) {
          finish(deadreluTrial.run(settings, k));
          await new Promise((next) => setTimeout(next));
        }
    };
    const shares = Array.from({ length: threads }, (_, t) => numbers.filter((_, at) => at % threads === t));
    return Promise.all(
      shares.map(
        (own) =>
          new Promise((ready) => {
            const thread = worker();
            if (!thread) return here(own).then(ready);
            const end = () => (thread.terminate(), ready());
            let left = own.length;
            thread.onmessage = ({ data: result }) => {
              if (stopped()) return end();
              finish(result);
              if (--left === 0) end();
            };
            thread.onerror = (event) => {
              event.preventDefault();
              thread.terminate();
              here(own).then(ready); // what it left is trained here
            };
            thread.postMessage({ settings, numbers: own });
          }),
      ),
    );
  }

  // ---- settings -----------------------------------------------------------------------------------------------------

  const fields = ["target", "activation", "slope", "depth", "width", "initializer", "rate", "epochs", "biases", "narrow"];
  const field = (name) => part(`p-${name}`);
  const presetOf = (key) => data.presets.find((preset) => preset.key === key);

  function fill(preset) {
    for (const name of fields) {
      if (field(name).type === "checkbox") field(name).checked = preset[name];
      else if (name !== "slope" || preset.slope) field(name).value = preset[name];
    }
    settle();
  }
  function settle() {
    field("slope").disabled = field("activation").value !== "leaky_relu";
    if (field("initializer").value === "rai") field("biases").checked = true; // it draws biases
    field("biases").disabled = field("initializer").value === "rai";
    for (const name of ["depth", "width"]) part("playground").querySelector(`[for=p-${name}] output`).value = field(name).value;
  }
  // The settings of the form, or a sentence on what is wrong with them.
  function chosen() {
    const preset = presetOf(part("p-preset").value) || data.presets[0];
    const settings = { batch: preset ? preset.batch : 64, points: preset ? preset.points : 3000, seed: 1 };
    for (const name of fields) {
      const input = field(name);
      settings[name] = input.type === "checkbox" ? input.checked : input.tagName === "SELECT" ? input.value : Number(input.value);
      if (!input.disabled && !input.checkValidity()) {
        const label = playground.querySelector(`[for=p-${name}]`).textContent;
        return `${label}: received ${input.value || "nothing"}; expected: ${input.min} to ${input.max}.`;
      }
    }
    if (settings.activation !== "leaky_relu") settings.slope = 0;
    return checked(settings);
  }
  function checked(given) {
    const settings = { ...(data.presets[0] || {}), batch: 64, points: 3000, seed: 1, tolerance: data.tolerance, ...given };
    if (!(settings.target in deadreluTrial.TARGETS)) throw new RangeError(`target: received ${settings.target}`);
    if (!deadreluEngine.activations.includes(settings.activation)) throw new RangeError(`activation: received ${settings.activation}`);
    for (const [name, low, high] of [["depth", 1, 30], ["width", 1, 20], ["epochs", 1, 1000], ["points", 1, 1e6]])
      if (!(settings[name] >= low && settings[name] <= high)) throw new RangeError(`${name}: received ${settings[name]}; expected: ${low} to ${high}`);
    return settings;
  }

  // ---- a hundred ----------------------------------------------------------------------------------------------------

  const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
  function wilson(count, n, z = 1.959963984540054) {
    const share = count / n, centre = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
    const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
    return [count === 0 ? 0 : centre - half, count === n ? 1 : centre + half];
  }
  let run = 0;

  async function many(networks = 100) {
    const settings = chosen();
    if (typeof settings === "string") return (part("p-status").textContent = settings);
    const mine = ++run, begun = performance.now(), counts = Object.fromEntries(OUTCOMES.map(([outcome]) => [outcome, 0]));
    halt();
    part("p-many").hidden = false;
    part("p-multiples").replaceChildren();
    let finished = 0;
    const numbers = Array.from({ length: networks }, (_, k) => k);
    const end = deadreluTrial.TARGETS[settings.target].end, xs = grid(settings.target);
    const goal = xs.map(deadreluTrial.TARGETS[settings.target].of);
    await trainMany(
      { ...settings, seed: mine },
      numbers,
      ({ outcome, curve }) => {
        if (mine !== run) return;
        counts[outcome] += 1;
        finished += 1;
        part("p-multiples").append(small(xs, goal, curve, outcome, end));
        tally(counts, finished, networks, settings);
        part("p-status").textContent = `${finished} of ${networks} networks are trained.`;
      },
      () => mine !== run,
    );
    if (mine !== run) return;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    const names = OUTCOMES.filter(([outcome]) => counts[outcome]).map(([outcome, name]) => `${counts[outcome]} ${name}`);
    part("p-status").textContent = `${networks} networks in ${seconds} s: ${names.join(", ")}.`;
  }

  const constant = (counts) => counts.born_dead + counts.died + counts.stayed_within + counts.became_within;

  function tally(counts, n, networks, settings) {
    const bars = OUTCOMES.filter(([outcome]) => outcome !== "diverged" || counts.diverged).map(([outcome, name]) => {
      const row = document.createElement("div");
      row.className = "bar";
      row.innerHTML = "<span></span><span class=track><span></span></span><span></span>";
      const [label, track, number] = row.children;
      label.textContent = name;
      track.firstChild.className = `outcome ${outcome}`;
      track.firstChild.style.width = `${(100 * counts[outcome]) / networks}%`;
      number.textContent = counts[outcome];
      return row;
    });
    part("p-tally").replaceChildren(...bars);
    const collapsed = constant(counts), [low, high] = wilson(collapsed, n);
    let text = `Constant after training here: ${percent(collapsed / n)} (95 % interval ${percent(low)} to ${percent(high)}).`;
    const preset = presetOf(part("p-preset").value);
    if (preset) {
      const [rate, least, most] = preset.measured;
      const length = preset.epochs === settings.epochs ? "" : `, after ${preset.epochs} epochs`;
      text += ` In the pipeline: ${percent(rate)} (${percent(least)} to ${percent(most)})${length}.`;
    }
    const [from, to] = theory(settings) || [];
    if (from !== undefined)
      text += ` Theory, dead at initialization: ${from === to ? percent(from) : `${percent(from)} to ${percent(to)}`}; here ${percent(counts.born_dead / n)}.`;
    part("p-rates").textContent = text.replace(/(\d) %/g, "$1\u00a0%");
  }

  // Bounds of the probability to be dead at initialization: src/deadrelu/analysis/theory.py.
  function theory({ activation, initializer, depth, width, narrow }) {
    if (activation !== "relu" || initializer === "rai") return null;
    const widths = Array.from({ length: depth }, (_, k) => (narrow && k === 0 ? 1 : width));
    return [0.25, 0.5].map((q) => {
      let [both, survives] = [0, 1];
      for (let at = widths.length - 1; at >= 0; at--) {
        const one = 2 ** -widths[at], stop = at === 0 ? 0 : at === 1 ? 0.25 ** widths[at] : q ** widths[at];
        both = stop + 2 * (one - stop) * (1 - survives) + (1 - 2 * one + stop) * both;
        survives *= 1 - one;
      }
      return both;
    });
  }

  // ---- pictures -----------------------------------------------------------------------------------------------------

  function svg(name, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  const grid = (target) => {
    const { end } = deadreluTrial.TARGETS[target];
    return Array.from({ length: deadreluTrial.CURVE }, (_, k) => end * ((2 * k) / (deadreluTrial.CURVE - 1) - 1));
  };
  function path(xs, ys, x, y) {
    return [...ys].map((v, k) => `${k ? "L" : "M"}${x(xs[k]).toFixed(1)} ${y(v).toFixed(1)}`).join("");
  }
  const within = (value, low, high) => (Number.isFinite(value) ? Math.min(Math.max(value, low), high) : 0);

  function small(xs, goal, curve, outcome, end) {
    const picture = svg("svg", { viewBox: "0 0 60 40", class: `outcome ${outcome}` });
    const [least, most] = [Math.min(...goal) - 0.5, Math.max(...goal) + 0.5];
    const x = (v) => 2 + (56 * (v + end)) / (2 * end), y = (v) => 38 - (36 * (within(v, least, most) - least)) / (most - least);
    picture.append(svg("path", { class: "target", d: path(xs, goal, x, y) }), svg("path", { class: "network", d: path(xs, curve, x, y) }));
    return picture;
  }

  function drawFunction(settings, curve) {
    const picture = part("p-function"), xs = grid(settings.target), { of, end } = deadreluTrial.TARGETS[settings.target];
    const goal = xs.map(of), [least, most] = [Math.min(...goal) - 0.6, Math.max(...goal) + 0.6];
    const x = (v) => 30 + (330 * (v + end)) / (2 * end), y = (v) => 205 - (190 * (within(v, least, most) - least)) / (most - least);
    picture.replaceChildren(
      svg("line", { class: "axis", x1: 30, x2: 360, y1: y(0), y2: y(0) }),
      svg("path", { class: "target", d: path(xs, goal, x, y) }),
      svg("path", { class: "network", d: path(xs, curve, x, y) }),
      ...[-end, 0, end].map((v) => svg("text", { x: x(v), y: 224, "text-anchor": "middle" }, Number(v.toPrecision(3)))),
    );
  }

  const MAX_EDGES = 3000;
  function drawNetwork(own) {
    const picture = part("p-network"), { sizes } = own.network, silent = own.silentUnits(), layers = own.layers;
    const x = (l) => 20 + (340 * l) / (sizes.length - 1), y = (l, j) => 115 + ((j - (sizes[l] - 1) / 2) * 200) / Math.max(2, ...sizes);
    const largest = Math.max(1e-9, ...own.weights.map(Math.abs)), edges = [], units = [];
    const radius = Math.max(2, Math.min(8, 80 / Math.max(...sizes)));
    if (own.weights.length <= MAX_EDGES)
      layers.forEach(({ fanIn, fanOut, kernel }, l) => {
        for (let i = 0; i < fanIn; i++)
          for (let j = 0; j < fanOut; j++) {
            const weight = own.weights[kernel + i * fanOut + j], width = Math.min(1, Math.abs(weight) / largest);
            edges.push(svg("line", { class: weight < 0 ? "edge below" : "edge", x1: x(l), y1: y(l, i), x2: x(l + 1), y2: y(l + 1, j), "stroke-width": (0.3 + 3.2 * (width || 0)).toFixed(2) }));
          }
      });
    sizes.forEach((size, l) => {
      const first = sizes.slice(0, l).reduce((a, b) => a + b, 0), hidden = l > 0 && l + 1 < sizes.length;
      for (let j = 0; j < size; j++)
        units.push(svg("circle", { class: hidden && silent[first + j] ? "unit dead" : "unit", cx: x(l), cy: y(l, j), r: radius }));
    });
    picture.replaceChildren(...edges, ...units);
    const all = sizes.slice(1, -1).reduce((a, b) => a + b, 0), dead = silent.slice(1, 1 + all).reduce((a, b) => a + b, 0);
    return { all, dead };
  }

  function drawLoss(losses, epochs) {
    const picture = part("p-loss"), finite = losses.filter(Number.isFinite), most = Math.max(1e-9, ...finite);
    const x = (k) => 40 + (320 * k) / Math.max(1, epochs - 1), y = (v) => 100 - (85 * within(v, 0, most)) / most;
    picture.replaceChildren(
      svg("line", { class: "axis", x1: 40, x2: 360, y1: 100, y2: 100 }),
      svg("line", { class: "axis", x1: 40, x2: 40, y1: 15, y2: 100 }),
      svg("text", { x: 36, y: 20, "text-anchor": "end" }, finite.length ? Number(most.toPrecision(2)) : ""),
      svg("text", { x: 200, y: 122, "text-anchor": "middle" }, `loss, ${losses.length} of ${epochs} epochs`),
      svg("path", { class: "network", d: path(losses.map((_, k) => k), losses, x, y) }),
      ...losses.map((v, k) => svg("circle", { class: "unit", cx: x(k), cy: y(v), r: 2.5 })),
    );
  }

  // ---- one ----------------------------------------------------------------------------------------------------------

  let one = null;
  let number = 0;
  function halt() {
    if (one) cancelAnimationFrame(one.frame);
    if (one) one.running = false;
  }
  function begin() {
    const settings = chosen();
    if (typeof settings === "string") return (part("p-status").textContent = settings);
    run += 1; // a hundred in training end
    halt();
    part("p-one").hidden = false;
    number += 1;
    const { own, random } = deadreluTrial.trainer({ ...settings, seed: 1000 + number }, 0);
    one = { settings, own, random, before: own.predict(own.x), losses: [], step: 0, order: null, running: true };
    part("p-status").textContent = `Network ${number} is in training.`;
    for (const id of ["p-pause", "p-step", "p-again"]) part(id).disabled = false;
    showOne();
    proceed();
  }
  function batches(count) {
    const { own, settings } = one, steps = Math.ceil(own.n / own.size);
    for (let k = 0; k < count && one.losses.length < settings.epochs; k++) {
      if (one.step === 0) {
        one.order = deadreluTrial.shuffled(own.n, one.random);
        own.startEpoch();
      }
      own.batch(one.order, one.step);
      one.step += 1;
      if (one.step === steps) {
        one.losses.push(Math.fround(own.loss / Math.fround(own.n)));
        one.step = 0;
        if (still.matches) break; // less motion: a picture for each epoch
      }
    }
  }
  function proceed() {
    part("p-pause").textContent = one.running ? "Pause" : "Go on";
    if (!one.running) return;
    batches(still.matches ? Infinity : 2);
    showOne();
    if (one.losses.length < one.settings.epochs) {
      one.frame = still.matches ? setTimeout(proceed, 300) : requestAnimationFrame(proceed);
      return;
    }
    one.running = false;
    const outcome = deadreluTrial.outcomeOf(one.before, one.own.predict(one.own.x), one.own.x, data.tolerance);
    part("p-status").textContent = `Network ${number}: ${OUTCOMES.find(([name]) => name === outcome)[1]}.`;
    part("p-pause").disabled = part("p-step").disabled = true;
  }
  function showOne() {
    drawFunction(one.settings, deadreluTrial.curve(one.own, one.settings.target));
    const { all, dead } = drawNetwork(one.own);
    drawLoss(one.losses, one.settings.epochs);
    part("p-state").textContent = `Dead units (0 on all points, dark): ${dead} of ${all}. Edges: the wider, the larger the weight; dashed: below 0.`;
  }

  // ---- the proof ----------------------------------------------------------------------------------------------------

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const floats = (text) => new Float32Array(bytes(text));

  // A trial of the tables, trained here: a promise of { initial, final, loss }.
  function train({ case: key, trial }) {
    const { proof } = data, of = proof.cases[key], carried = of && of.trials[trial];
    if (!carried)
      return Promise.reject(new RangeError(`received case ${key}, trial ${trial}; expected: ${Object.entries(proof.cases).map(([name, { trials }]) => `${name}: ${Object.keys(trials).join(", ")}`).join("; ")}`));
    const right = new Uint16Array(bytes(proof.right[trial]));
    const orders = proof.left.slice(0, of.epochs).map((left) => Int32Array.from(new Uint16Array(bytes(left)), (at) => right[at]));
    const training = { batchSize: of.batch, rate: of.rate, optimizer: "adam" };
    const about = { sizes: of.sizes, activation: of.activation, slope: of.slope, biases: of.biases };
    const given = [about, training, floats(carried.initial), floats(proof.x), floats(proof.y), orders];
    const thread = worker();
    if (!thread) return Promise.resolve(deadreluEngine.trial(...given));
    return new Promise((ready) => {
      thread.onmessage = ({ data: result }) => (thread.terminate(), ready(result));
      thread.onerror = (event) => (event.preventDefault(), thread.terminate(), ready(deadreluEngine.trial(...given)));
      thread.postMessage({ trial: given });
    });
  }
  async function sha256(array) {
    if (!(globalThis.crypto && crypto.subtle)) return null;
    const digest = await crypto.subtle.digest("SHA-256", array.buffer.slice(array.byteOffset, array.byteOffset + array.byteLength));
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  const bits = (array) => new Uint32Array(array.buffer, array.byteOffset, array.length);
  const differing = (ours, theirs) => [...bits(ours)].findIndex((value, k) => value !== bits(theirs)[k]);

  async function prove() {
    part("p-prove").disabled = true;
    part("p-prove").textContent = "Prove it again";
    const list = part("p-proofs");
    let [equal, total] = [0, 0];
    const lines = [], carriedInAll = Object.values(data.proof.cases).reduce((sum, { trials }) => sum + Object.keys(trials).length, 0);
    for (const [key, of] of Object.entries(data.proof.cases))
      for (const [trial, carried] of Object.entries(of.trials)) {
        const found = await train({ case: key, trial: Number(trial) });
        const line = document.createElement("p"), hashes = [await sha256(found.final), await sha256(found.loss)];
        const wrong = [["weight", found.final, floats(carried.final)], ["loss", found.loss, floats(carried.loss)]]
          .map(([name, ours, theirs]) => [name, differing(ours, theirs), ours, theirs])
          .filter(([, at]) => at >= 0);
        const hashed = hashes.every((hash, k) => hash === null || hash === carried.sha256[k]);
        total += 1;
        equal += !wrong.length && hashed;
        line.className = wrong.length || !hashed ? "differs" : "equal";
        const about = wrong.map(([name, at, ours, theirs]) => `${name} ${at} is ${ours[at]} here and ${theirs[at]} in the table`).join("; ");
        const short = (hash) => (hash ? `${hash.slice(0, 12)}…` : "not computed by this browser");
        line.textContent =
          `${of.name}, trial ${trial}: ${line.className === "equal" ? "equal" : `differs${about && `: ${about}`}`}. ` +
          `SHA-256 of final weights: ${short(hashes[0])} here, ${short(carried.sha256[0])} in data/collapse/${key}/; of losses: ${short(hashes[1])}, ${short(carried.sha256[1])}.`;
        lines.push(line);
        list.textContent = `${total} of ${carriedInAll} trials are compared.`;
      }
    const all = document.createElement("details"), sum = document.createElement("p");
    sum.innerHTML = "<strong></strong>";
    sum.firstChild.textContent = `${equal} of ${total} trials end with the bits of the tables.`;
    all.innerHTML = "<summary>Each trial</summary>";
    all.append(...lines.filter((line) => line.className === "equal"));
    list.replaceChildren(sum, ...lines.filter((line) => line.className === "differs"), all);
    part("p-prove").disabled = false;
    return { equal, total };
  }

  // A tally of networks with some settings, those of the first preset where none are given.
  async function count({ networks = 100, preset, ...given } = {}) {
    const settings = checked({ ...(presetOf(preset) || {}), ...given });
    const counts = Object.fromEntries([["networks", networks], ...OUTCOMES.map(([outcome]) => [outcome, 0])]);
    await trainMany(settings, Array.from({ length: networks }, (_, k) => k), ({ outcome }) => (counts[outcome] += 1));
    return { ...counts, collapsed: constant(counts) };
  }

  const safely = (action) => async () => {
    try {
      await action();
    } catch (error) {
      part("p-status").textContent = `This browser could not do that: ${error.message}. Nothing else is affected.`;
    }
  };

  // When a reader comes to it, the proof is made; again at the press of the button.
  if ("IntersectionObserver" in window && Object.keys(data.proof.cases).length)
    new IntersectionObserver((seen, watcher) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      watcher.disconnect();
      safely(prove)();
    }).observe(part("p-proofs"));
  window.deadrelu = { train, count, prove, cases: data.proof.cases };
  playground.hidden = false;
  if (data.presets.length) fill(data.presets[0]);
  part("p-preset").addEventListener("change", () => presetOf(part("p-preset").value) && fill(presetOf(part("p-preset").value)));
  for (const name of fields)
    field(name).addEventListener("input", () => {
      part("p-preset").value = "";
      settle();
    });
  part("train-many").addEventListener("click", safely(many));
  part("train-one").addEventListener("click", safely(begin));
  part("p-again").addEventListener("click", safely(begin));
  part("p-pause").addEventListener("click", safely(() => ((one.running = !one.running), proceed())));
  part("p-step").addEventListener("click", safely(() => (halt(), (part("p-pause").textContent = "Go on"), batches(1), showOne())));
  part("p-prove").addEventListener("click", safely(prove));
}
